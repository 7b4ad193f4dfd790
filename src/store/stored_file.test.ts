import { describe, expect, test } from "vitest";
import { type StoreHalves, faultyStore } from "../testing/faulty_store.ts";
import { chunksOf, download, expectHonest, openSmallStore, smallChunk, testFile } from "../testing/small_store.ts";
import { sameBytes } from "../testing/chunk_cases.ts";
import { noDiagnostics } from "./diagnostics.ts";
import { chunkKey, encodeRecord, fileId, manifestKey } from "./manifest.ts";
import { memoryStore } from "./memory.ts";

const model = testFile("https://host.test/model.gguf");

async function flipChunk({ chunks }: StoreHalves, id: string, index: number, bit: number): Promise<void> {
  const stored = await chunks.read(id, index, bit >> 3);
  const length = chunksOf(model.bytes)[index]?.length ?? 0;
  const bytes = stored && (await chunks.read(id, index, length));
  if (bytes === undefined) throw new Error("no chunk to damage");
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  await chunks.put(id, index, bytes);
}

describe("chunks", () => {
  test("are there once put, and after a reopening, whole and in any order", async () => {
    const halves = memoryStore();
    const file = await openSmallStore(halves).open(model.about, noDiagnostics());
    expect([file.chunkCount, file.storedBytes, file.manifest.state]).toEqual([4, 0, "partial"]);
    await Promise.all([3, 0, 2].map((index) => file.put(index, chunksOf(model.bytes)[index] ?? new Uint8Array())));
    expect([0, 1, 2, 3].map((index) => file.has(index))).toEqual([true, false, true, true]);
    const diagnostics = noDiagnostics();
    const again = await openSmallStore(halves).open(model.about, diagnostics);
    expect(again.storedBytes).toBe(2 * smallChunk + 100);
    expect(await again.read(1)).toBeUndefined();
    expect(await expectHonest(again, model.bytes)).toEqual([0, 2, 3]);
    expect(diagnostics).toEqual({ ...noDiagnostics(), storedBytes: 2 * smallChunk + 100 });
    expect(again.sha256Of(0)).toBe(file.sha256Of(0));
    expect(again.sha256Of(1)).toBeUndefined();
  });

  test("go into the place that is given", async () => {
    const file = await download(openSmallStore(memoryStore()), model);
    const place = new Uint8Array(smallChunk);
    const bytes = await file.read(3, place);
    expect(bytes?.buffer).toBe(place.buffer);
    expect(sameBytes(bytes, chunksOf(model.bytes)[3])).toBe(true);
  });

  test("that are there already are not written again; others take their place", async () => {
    const faulty = faultyStore(memoryStore());
    const file = await download(openSmallStore(faulty), model);
    const before = faulty.steps.length;
    await file.put(0, chunksOf(model.bytes)[0] ?? new Uint8Array());
    expect(faulty.steps.length).toBe(before);
    await file.put(0, chunksOf(model.bytes)[1] ?? new Uint8Array());
    expect(sameBytes(await file.read(0), chunksOf(model.bytes)[1])).toBe(true);
    expect(file.manifest.state).toBe("partial");
  });

  test("written twice at once end as the last call said", async () => {
    const file = await openSmallStore(memoryStore()).open(model.about, noDiagnostics());
    const [a = new Uint8Array(), b = new Uint8Array()] = chunksOf(model.bytes);
    await Promise.all([file.put(0, a), file.put(0, b), file.put(0, a), file.put(0, b)]);
    expect(sameBytes(await file.read(0), b)).toBe(true);
  });

  test("of the wrong length or number are a mistake of the caller", async () => {
    const file = await openSmallStore(memoryStore()).open(model.about, noDiagnostics());
    await expect(file.put(0, new Uint8Array(5))).rejects.toThrow("assertion failed");
    await expect(file.put(4, new Uint8Array(0))).rejects.toThrow("assertion failed");
    await expect(file.put(-1, new Uint8Array(smallChunk))).rejects.toThrow("assertion failed");
    await expect(file.complete({ sha256: null, verified: false })).rejects.toThrow("lacks 4 chunks");
  });

  test("record after bytes, manifest strictly: the order of a download", async () => {
    const halves = memoryStore();
    const durabilities: string[] = [];
    const keyValue = {
      ...halves.keyValue,
      set: (entries: Parameters<typeof halves.keyValue.set>[0], durability?: "relaxed" | "strict") => {
        durabilities.push(`${entries[0]?.[0].split("/")[0]} ${durability}`);
        return halves.keyValue.set(entries, durability);
      },
    };
    const chunks = {
      ...halves.chunks,
      put: (...args: Parameters<typeof halves.chunks.put>) => (durabilities.push("bytes"), halves.chunks.put(...args)),
    };
    await download(openSmallStore({ keyValue, chunks }), testFile("https://host.test/one", { bytes: 1500 }));
    expect(durabilities).toEqual(["manifest strict", "bytes", "chunk relaxed", "bytes", "chunk relaxed", "manifest strict"]);
  });

  test("a file of no bytes is complete without chunks", async () => {
    const store = openSmallStore(memoryStore());
    const file = await download(store, testFile("https://host.test/empty", { bytes: 0 }));
    expect([file.chunkCount, file.manifest.state]).toEqual([0, "complete"]);
    expect((await store.find("https://host.test/empty"))[0]?.state).toBe("complete");
  });
});

describe("row 51: damage to what is stored", () => {
  test("any bit of any chunk: that chunk alone is gone, and the file is partial before anybody is told", async () => {
    const id = await fileId(model.about);
    for (const index of [0, 1, 2, 3]) {
      const bits = (chunksOf(model.bytes)[index]?.length ?? 0) * 8;
      for (let bit = index; bit < bits; bit += 397) {
        const halves = memoryStore();
        await download(openSmallStore(halves), model);
        await flipChunk(halves, id, index, bit);
        const diagnostics = noDiagnostics();
        const file = await openSmallStore(halves).open(model.about, diagnostics);
        expect(file.manifest.state).toBe("complete");
        expect(await file.read(index)).toBeUndefined();
        expect([file.has(index), file.manifest.state, diagnostics.damagedChunks]).toEqual([false, "partial", 1]);
        expect(await file.read(index)).toBeUndefined();
        const later = await openSmallStore(halves).open(model.about, diagnostics);
        expect([later.manifest.state, diagnostics.damagedChunks]).toEqual(["partial", 1]);
        expect((await expectHonest(later, model.bytes)).length).toBe(3);
        const refetched: number[] = [];
        await download(openSmallStore(halves), model, { onPut: (one) => refetched.push(one) });
        expect(refetched).toEqual([index]);
      }
    }
  });

  test("any bit of any record: the chunk is fetched again, the others are not", async () => {
    const id = await fileId(model.about);
    for (const index of [0, 3]) {
      const stored = memoryStore();
      await download(openSmallStore(stored), model);
      const text = String(await stored.keyValue.get(chunkKey(id, index)));
      for (let bit = 0; bit < text.length * 8; bit += 5) {
        const at = bit >> 3;
        const damaged = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << (bit & 7))) + text.slice(at + 1);
        await stored.keyValue.set([[chunkKey(id, index), damaged]]);
        const diagnostics = noDiagnostics();
        const refetched: number[] = [];
        const file = await download(openSmallStore(stored), model, { diagnostics, onPut: (one) => refetched.push(one) });
        expect([refetched, diagnostics.damagedChunks, file.manifest.state]).toEqual([[index], 1, "complete"]);
      }
    }
  });

  test("any bit of the manifest: it is made anew and finds every chunk", async () => {
    const id = await fileId(model.about);
    const halves = memoryStore();
    await download(openSmallStore(halves), model);
    const text = String(await halves.keyValue.get(manifestKey(id)));
    for (let bit = 0; bit < text.length * 8; bit++) {
      const at = bit >> 3;
      const damaged = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << (bit & 7))) + text.slice(at + 1);
      await halves.keyValue.set([[manifestKey(id), damaged]]);
      const store = openSmallStore(halves);
      expect(await store.find(model.about.url)).toEqual([]);
      const diagnostics = noDiagnostics();
      const file = await download(store, model, { diagnostics, onPut: () => expect.fail("nothing is fetched twice") });
      expect([file.manifest.state, diagnostics.damagedManifests, diagnostics.damagedChunks]).toEqual(["complete", 1, 0]);
    }
  });

  test("records that cannot be are dropped: of no such chunk, of another length, of no chunk at all", async () => {
    const halves = memoryStore();
    const id = await fileId(model.about);
    await download(openSmallStore(halves), model);
    const right = await halves.keyValue.get(chunkKey(id, 0));
    const record = { sha256: "ab".repeat(32), checksum: "ab".repeat(8) };
    await halves.keyValue.set([
      [chunkKey(id, 4), await encodeRecord(id, 4, { ...record, bytes: 0 })],
      [chunkKey(id, 5), right],
      [`chunk/${id}/zero`, right],
      [chunkKey(id, 3), await encodeRecord(id, 3, { ...record, bytes: smallChunk })],
    ]);
    const diagnostics = noDiagnostics();
    const file = await openSmallStore(halves).open(model.about, diagnostics);
    expect([file.manifest.state, diagnostics.damagedChunks]).toEqual(["partial", 1]);
    expect([2, 3, 4, 5].map((index) => file.has(index))).toEqual([true, false, false, false]);
    expect(await halves.keyValue.keys("chunk/")).toEqual([0, 1, 2].map((index) => chunkKey(id, index)));
  });

  test("bytes that are cut short or gone are a damaged chunk too", async () => {
    const halves = memoryStore();
    const id = await fileId(model.about);
    await download(openSmallStore(halves), model);
    await halves.chunks.put(id, 2, new Uint8Array(10));
    const diagnostics = noDiagnostics();
    const file = await openSmallStore(halves).open(model.about, diagnostics);
    expect(await Promise.all([file.read(2), file.read(2)])).toEqual([undefined, undefined]);
    await halves.chunks.delete(id);
    expect(await file.read(0)).toBeUndefined();
    expect(diagnostics.damagedChunks).toBe(2);
  });

  test("a chunk that another tab mended between this tab's first look and its second is read and kept", async () => {
    const halves = memoryStore();
    const id = await fileId(model.about);
    await download(openSmallStore(halves), model);
    let meanwhile: (() => Promise<void>) | undefined;
    const read: typeof halves.chunks.read = async (...place) => {
      const bytes = await halves.chunks.read(...place);
      await meanwhile?.();
      return bytes;
    };
    const diagnostics = noDiagnostics();
    const mine = await openSmallStore({ ...halves, chunks: { ...halves.chunks, read } }).open(model.about, diagnostics);
    await flipChunk(halves, id, 1, 9);
    const other = await openSmallStore(halves).open(model.about, noDiagnostics());
    expect(await other.read(1)).toBeUndefined();
    meanwhile = async () => {
      meanwhile = undefined;
      await other.put(1, chunksOf(model.bytes)[1] ?? new Uint8Array());
      await other.complete({ sha256: null, verified: false });
    };
    expect(sameBytes(await mine.read(1), chunksOf(model.bytes)[1])).toBe(true);
    expect(diagnostics.damagedChunks).toBe(0);
    expect((await openSmallStore(halves).find(model.about.url))[0]?.state).toBe("complete");
  });

  test("a chunk that another tab is mending is absent here, and what it writes stays", async () => {
    const halves = memoryStore();
    const id = await fileId(model.about);
    const diagnostics = noDiagnostics();
    await download(openSmallStore(halves), model);
    let meanwhile: (() => Promise<void>) | undefined;
    const get: typeof halves.keyValue.get = async (key) => {
      const value = await halves.keyValue.get(key);
      await meanwhile?.();
      return value;
    };
    const mine = await openSmallStore({ ...halves, keyValue: { ...halves.keyValue, get } }).open(model.about, diagnostics);
    await flipChunk(halves, id, 1, 9);
    const other = await openSmallStore(halves).open(model.about, noDiagnostics());
    expect(await other.read(1)).toBeUndefined();
    // The other tab writes the chunk after this tab found its record gone.
    meanwhile = async () => {
      meanwhile = undefined;
      await other.put(1, chunksOf(model.bytes)[1] ?? new Uint8Array());
      await other.complete({ sha256: null, verified: false });
    };
    expect(await mine.read(1)).toBeUndefined();
    expect([mine.has(1), mine.manifest.state, diagnostics.damagedChunks]).toEqual([false, "partial", 1]);
    const later = await openSmallStore(halves).open(model.about, noDiagnostics());
    expect([later.manifest.state, await expectHonest(later, model.bytes)]).toEqual(["complete", [0, 1, 2, 3]]);
  });
});

describe("clear", () => {
  test("holds up writes that come while it deletes", async () => {
    const halves = memoryStore();
    const slow: typeof halves.chunks.delete = async (file) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await halves.chunks.delete(file);
    };
    const file = await download(openSmallStore({ ...halves, chunks: { ...halves.chunks, delete: slow } }), model);
    const chunk = chunksOf(model.bytes)[1] ?? new Uint8Array();
    const clearing = file.clear();
    await expect.poll(() => file.storedBytes, { interval: 1 }).toBe(0);
    await Promise.all([clearing, file.put(1, chunk)]);
    expect(await expectHonest(file, model.bytes)).toEqual([1]);
  });

  test("takes everything, also from a complete file and beside writes that are under way", async () => {
    const halves = memoryStore();
    const file = await download(openSmallStore(halves), model);
    await file.clear();
    expect([file.manifest.state, file.storedBytes]).toEqual(["partial", 0]);
    const puts = chunksOf(model.bytes).map((bytes, index) => file.put(index, bytes));
    await Promise.all([...puts, file.clear(), file.put(1, chunksOf(model.bytes)[1] ?? new Uint8Array())]);
    expect(await expectHonest(file, model.bytes)).toEqual([1]);
    const again = await openSmallStore(halves).open(model.about, noDiagnostics());
    expect(await expectHonest(again, model.bytes)).toEqual([1]);
  });
});
