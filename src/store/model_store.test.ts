import { describe, expect, test } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { faultyStore } from "../testing/faulty_store.ts";
import { chunksOf, download, expectHonest, openSmallStore, smallChunk, testFile } from "../testing/small_store.ts";
import { errorCode, typedError } from "../testing/typed_error.ts";
import type { ChunkStore } from "./chunk_store.ts";
import { noDiagnostics } from "./diagnostics.ts";
import { openLocks } from "./locks.ts";
import { fileId, manifestKey } from "./manifest.ts";
import { memoryStore } from "./memory.ts";
import type { FileDescription } from "./model_store.ts";
import { createProcessLocks } from "./process_locks.ts";

const address = "https://host.test/model.gguf";
const model = testFile(address);
const id = await fileId(model.about);

/** Chunks under another tier's name. */
function asTier(chunks: ChunkStore, tier: ChunkStore["tier"]): ChunkStore {
  return { ...chunks, tier };
}

/** A clock that goes on by one each time it is read. */
function clock(): () => number {
  let time = 1000;
  return () => time++;
}

describe("find", () => {
  test("gives complete ones first, then the newest, whatever was used last", async () => {
    const store = openSmallStore(memoryStore(), { now: clock() });
    const revisions = ["old", "new", "partial"].map((revision) => testFile(address, { revision }));
    const [old, young, partial] = revisions;
    if (old === undefined || young === undefined || partial === undefined) throw new Error("three files");
    await download(store, old);
    await download(store, young);
    await store.open(partial.about, noDiagnostics());
    await store.touch(await fileId(old.about));
    expect((await store.find(address)).map(({ revision, state }) => [revision, state])).toEqual([
      ["new", "complete"],
      ["old", "complete"],
      ["partial", "partial"],
    ]);
    expect(await store.find("https://host.test/absent")).toEqual([]);
    expect((await store.find(address))[1]?.usedAt).toBeGreaterThan((await store.find(address))[0]?.usedAt ?? Infinity);
  });

  test("row 39: a changed file is stored beside the old one, which stays whole; the old goes when the new is whole", async () => {
    const store = openSmallStore(memoryStore(), { now: clock() });
    const old = testFile(address, { revision: "1" });
    const young = testFile(address, { revision: "2", bytes: 2 * smallChunk });
    await download(store, old);
    const file = await store.open(young.about, noDiagnostics());
    await file.put(0, chunksOf(young.bytes)[0] ?? new Uint8Array());
    await store.deleteSuperseded(address);
    expect(await expectHonest(await store.open(old.about, noDiagnostics()), old.bytes)).toEqual([0, 1, 2, 3]);
    expect(await expectHonest(file, young.bytes)).toEqual([0]);
    await download(store, young);
    const inUse = await store.holdModel(await fileId(old.about));
    await store.deleteSuperseded(address);
    expect((await store.find(address)).map(({ revision }) => revision)).toEqual(["2", "1"]);
    inUse.release();
    await store.deleteSuperseded(address);
    expect((await store.find(address)).map(({ revision }) => revision)).toEqual(["2"]);
    expect(await expectHonest(await store.open(young.about, noDiagnostics()), young.bytes)).toEqual([0, 1]);
  });

  test("a file of the same revision and another length is never mixed with what is stored", async () => {
    const halves = memoryStore();
    const longer = testFile(address, { bytes: 5 * smallChunk });
    const partial = await openSmallStore(halves).open(model.about, noDiagnostics());
    await partial.put(0, chunksOf(model.bytes)[0] ?? new Uint8Array());
    const anew = await openSmallStore(halves).open(longer.about, noDiagnostics());
    expect([anew.chunkCount, anew.storedBytes]).toEqual([5, 0]);
    await download(openSmallStore(halves), longer);
    const refused = await typedError(openSmallStore(halves).open(model.about, noDiagnostics()));
    expect([refused.code, refused.detail["storedBytes"]]).toEqual(["SOURCE.changed", longer.about.bytes]);
    expect((await expectHonest(await openSmallStore(halves).open(longer.about, noDiagnostics()), longer.bytes)).length).toBe(5);
  });
});

describe("open", () => {
  test("an unfinished file takes up a promised hash, a complete one keeps its own", async () => {
    const store = openSmallStore(memoryStore());
    const promised = (sha256: string): FileDescription => ({ ...model.about, sha256 });
    await store.open(model.about, noDiagnostics());
    expect((await store.open(promised("aa".repeat(32)), noDiagnostics())).manifest.sha256).toBe("aa".repeat(32));
    expect((await store.open(model.about, noDiagnostics())).manifest.sha256).toBe("aa".repeat(32));
    const file = await download(store, model);
    expect(file.manifest.sha256).toBeNull();
    expect((await store.open(promised("bb".repeat(32)), noDiagnostics())).manifest).toMatchObject({ sha256: null, state: "complete" });
  });

  test("a file that was loaded alone can become a model's shard", async () => {
    const store = openSmallStore(memoryStore());
    await download(store, model);
    const first = "ab".repeat(16);
    expect((await store.open({ ...model.about, model: first }, noDiagnostics())).manifest.model).toBe(first);
    expect((await store.open(model.about, noDiagnostics())).manifest).toMatchObject({ model: first, state: "complete" });
  });
});

describe("list", () => {
  test("counts what is there, by model, the last used first", async () => {
    const store = openSmallStore(memoryStore(), { now: clock() });
    const first = testFile("https://host.test/split-00001-of-00002.gguf");
    const firstId = await fileId(first.about);
    const second = testFile("https://host.test/split-00002-of-00002.gguf", { model: firstId });
    await download(store, second);
    await download(store, first);
    const partial = await store.open(model.about, noDiagnostics());
    await partial.put(1, chunksOf(model.bytes)[1] ?? new Uint8Array());
    await store.touch(firstId);
    const [split, single, ...more] = await store.list();
    expect(more).toEqual([]);
    expect(split).toMatchObject({ id: firstId, kind: "downloaded", files: 2, complete: true, verified: false, location: first.about.url });
    expect([split?.bytes, split?.storedBytes, split?.name]).toEqual([6344, 6344, "split-00001-of-00002.gguf"]);
    expect(single).toMatchObject({ id, complete: false, storedBytes: smallChunk, bytes: model.about.bytes, files: 1 });
    expect((await store.filesOf(firstId)).map(({ name }) => name)).toEqual([first.about.name, second.about.name]);
  });

  test("a model whose first file is gone is not complete; an address without its query is no place to load from", async () => {
    const store = openSmallStore(memoryStore());
    await download(store, testFile("https://host.test/two.gguf", { model: id }));
    await download(store, testFile("https://host.test/get?q=0123456789abcdef"));
    const listed = await store.list();
    expect(listed.find((one) => one.id === id)).toMatchObject({ complete: false, location: `stored:${id}` });
    const other = listed.find((one) => one.id !== id);
    expect(other?.location).toBe(`stored:${other?.id}`);
  });
});

describe("delete", () => {
  test("takes all files of a model and nothing else", async () => {
    const halves = memoryStore();
    const store = openSmallStore(halves);
    await download(store, model);
    await download(store, testFile("https://host.test/2.gguf", { model: id }));
    const kept = testFile("https://host.test/kept.gguf");
    await download(store, kept);
    await store.touch(id);
    await store.delete(id);
    const keptId = await fileId(kept.about);
    expect((await halves.keyValue.keys("")).every((key) => key.includes(keptId))).toBe(true);
    expect(await halves.chunks.files()).toEqual([keptId]);
    expect(await errorCode(store.delete(id))).toBe("STORE.missing");
    expect(await errorCode(store.delete("../../etc"))).toBe("STORE.missing");
  });

  test("row 57: a model in use, or being downloaded, by another tab stays, and the reason is said", async () => {
    const halves = memoryStore();
    const locks = createProcessLocks();
    const [mine, other] = [0, 1].map(() => openSmallStore(halves, { locks: openLocks("test", locks) }));
    if (mine === undefined || other === undefined) throw new Error("two tabs");
    await download(mine, model);
    const uses = await Promise.all([other.holdModel(id), mine.holdModel(id)]);
    for (const use of uses) {
      const refused = await typedError(mine.delete(id));
      expect([refused.code, refused.detail["reason"], refused.retryable]).toEqual(["STORE.busy", "in use", true]);
      use.release();
    }
    const downloading = await other.lockDownload(address, {});
    const refused = await typedError(mine.delete(id));
    expect([refused.code, refused.detail["reason"]]).toEqual(["STORE.busy", "downloading"]);
    downloading.release();
    expect(await expectHonest(await mine.open(model.about, noDiagnostics()), model.bytes)).toEqual([0, 1, 2, 3]);
    await mine.delete(id);
    expect(await mine.list()).toEqual([]);
    expect(await locks.query()).toEqual({ held: [] });
  });

  test("no lock is held when idle, also after failures", async () => {
    const locks = createProcessLocks();
    const halves = memoryStore();
    const error = new ShaderloomError("STORE.lost", "The store is lost. Reload.");
    const faulty = faultyStore(halves, ({ call }) => (call === "set" || call === "delete" ? { kind: "fail", error } : undefined));
    await download(openSmallStore(halves), model);
    const store = openSmallStore(faulty, { locks: openLocks("test", locks) });
    expect(await errorCode(store.open(testFile("https://host.test/other").about, noDiagnostics()))).toBe("STORE.lost");
    expect(await errorCode(store.delete(id))).toBe("STORE.lost");
    expect(await errorCode(store.evict(1, ""))).toBe("STORE.lost");
    expect(await locks.query()).toEqual({ held: [] });
  });
});

describe("evict", () => {
  test("frees what was used longest ago, no more than needed, never what is in use or excepted", async () => {
    const store = openSmallStore(memoryStore(), { now: clock() });
    const files = ["a", "b", "c", "d"].map((name) => testFile(`https://host.test/${name}`));
    for (const file of files) await download(store, file);
    const ids = await Promise.all(files.map(({ about }) => fileId(about)));
    await store.touch(ids[0] ?? "");
    const use = await store.holdModel(ids[1] ?? "");
    const diagnostics = noDiagnostics();
    expect(await store.evict(1, ids[2] ?? "", diagnostics)).toBe(model.about.bytes);
    expect((await store.list()).map(({ name }) => name).toSorted()).toEqual(["a", "b", "c"]);
    expect(await store.evict(Infinity, ids[2] ?? "", diagnostics)).toBe(model.about.bytes);
    expect((await store.list()).map(({ name }) => name).toSorted()).toEqual(["b", "c"]);
    expect(await store.evict(1, ids[2] ?? "", diagnostics)).toBe(0);
    use.release();
    expect(diagnostics.evictions).toBe(2);
    expect(await store.evict(0, "")).toBe(0);
  });
});

describe("tiers", () => {
  test("a file is read where it lies; new ones go to the preferred tier", async () => {
    const first = memoryStore();
    const second = memoryStore();
    const opfs = asTier(second.chunks, "opfs");
    const database = asTier(first.chunks, "indexeddb");
    const page = openSmallStore(first, { tiers: [database] });
    const worker = openSmallStore(first, { tiers: [opfs, database] });
    await download(page, model);
    const other = testFile("https://host.test/other");
    await download(worker, other);
    expect([page.tier, worker.tier, await second.chunks.files()]).toEqual(["indexeddb", "opfs", [await fileId(other.about)]]);
    expect(await expectHonest(await worker.open(model.about, noDiagnostics()), model.bytes)).toEqual([0, 1, 2, 3]);
    // Row 51 for a tier that is merely not here: nothing is damaged by looking.
    expect(await page.find(other.about.url)).toEqual([]);
    const refused = await typedError(page.open(other.about, noDiagnostics()));
    expect([refused.code, refused.detail["tier"]]).toEqual(["STORE.unavailable", "opfs"]);
    expect((await page.list()).find(({ name }) => name === "other")).toMatchObject({ complete: true, tier: "opfs" });
    expect((await worker.find(other.about.url))[0]?.state).toBe("complete");
  });

  test("a manifest made anew finds its chunks in the tier they are in", async () => {
    const first = memoryStore();
    const database = asTier(first.chunks, "indexeddb");
    await download(openSmallStore(first, { tiers: [database] }), model);
    await first.keyValue.set([[manifestKey(id), "x"]]);
    const worker = openSmallStore(first, { tiers: [asTier(memoryStore().chunks, "opfs"), database] });
    const file = await download(worker, model, { onPut: () => expect.fail("nothing is fetched twice") });
    expect(file.manifest.tier).toBe("indexeddb");
  });
});

test("row 49: what the browser says of its quota is told, and decides nothing", async () => {
  const none = { usedBytes: 10, availableBytes: 0, persisted: false };
  const store = openSmallStore(memoryStore(), { space: () => Promise.resolve(none) });
  expect(await store.space()).toEqual(none);
  expect((await download(store, model)).manifest.state).toBe("complete");
});
