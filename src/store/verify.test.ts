import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { chunksOf, download, openSmallStore, smallChunk, testFile } from "../testing/small_store.ts";
import { errorCode } from "../testing/typed_error.ts";
import { noDiagnostics } from "./diagnostics.ts";
import { checksum64 } from "./hash.ts";
import { chunkKey, encodeRecord, fileId } from "./manifest.ts";
import { memoryStore } from "./memory.ts";

const plain = testFile("https://host.test/model.gguf");
const sha256 = createHash("sha256").update(plain.bytes).digest("hex");
const id = await fileId(plain.about);

function promised(hash: string): typeof plain {
  return { ...plain, about: { ...plain.about, sha256: hash } };
}

/** Downloads and completes with the promised hash, unverified. */
async function downloadPromised(store: ReturnType<typeof openSmallStore>, hash: string): Promise<void> {
  await download(store, promised(hash));
  await (await store.open(promised(hash).about, noDiagnostics())).complete({ sha256: hash, verified: false });
}

describe("verify", () => {
  test("a sound model: all chunks, none damaged, progress to the end", async () => {
    const store = openSmallStore(memoryStore());
    await download(store, plain);
    const progress: string[] = [];
    const counts = await store.verify(id, { onProgress: (done, total) => progress.push(`${done}/${total}`) });
    expect(counts).toEqual({ chunks: 4, damaged: 0 });
    expect(progress).toEqual(["1024/3172", "2048/3172", "3072/3172", "3172/3172"]);
    expect((await store.list())[0]).toMatchObject({ complete: true, verified: false });
  });

  test("a whole hash that is right makes it verified, one that is wrong takes all of it", async () => {
    const store = openSmallStore(memoryStore());
    await downloadPromised(store, sha256);
    expect(await store.verify(id)).toEqual({ chunks: 4, damaged: 0 });
    expect((await store.list())[0]).toMatchObject({ complete: true, verified: true });
    const wrong = openSmallStore(memoryStore());
    await downloadPromised(wrong, "00".repeat(32));
    expect(await wrong.verify(id)).toEqual({ chunks: 4, damaged: 4 });
    expect((await wrong.list())[0]).toMatchObject({ complete: false, verified: false, storedBytes: 0 });
  });

  test("damage is dropped, chunk by chunk, also where the fast checksum was made to agree", async () => {
    const halves = memoryStore();
    const store = openSmallStore(halves);
    await downloadPromised(store, sha256);
    const wrong = new Uint8Array(smallChunk).fill(7);
    await halves.chunks.put(id, 1, wrong);
    const record = { bytes: smallChunk, sha256: "ab".repeat(32), checksum: await checksum64(wrong) };
    await halves.keyValue.set([[chunkKey(id, 1), await encodeRecord(id, 1, record)]]);
    await halves.chunks.put(id, 3, new Uint8Array(100));
    await halves.keyValue.delete([chunkKey(id, 0)]);
    expect(await store.verify(id)).toEqual({ chunks: 4, damaged: 3 });
    expect((await store.list())[0]).toMatchObject({ complete: false, storedBytes: smallChunk });
    expect(await store.verify(id)).toEqual({ chunks: 1, damaged: 0 });
    const refetched: number[] = [];
    await download(store, plain, { onPut: (index) => refetched.push(index) });
    expect(refetched).toEqual([0, 1, 3]);
  });

  test("all files of a model", async () => {
    const store = openSmallStore(memoryStore());
    await download(store, plain);
    await download(store, testFile("https://host.test/2.gguf", { model: id }));
    const totals = new Set<number>();
    expect(await store.verify(id, { onProgress: (_, total) => totals.add(total) })).toEqual({ chunks: 8, damaged: 0 });
    expect([...totals]).toEqual([2 * plain.about.bytes]);
  });

  test("stops with its signal; refuses what is being downloaded or is not there; leaves no lock", async () => {
    const store = openSmallStore(memoryStore());
    await download(store, plain);
    const stop = new AbortController();
    expect(await errorCode(store.verify(id, { signal: stop.signal, onProgress: () => stop.abort() }))).toBe("AbortError");
    const hold = await store.lockDownload(plain.about.url, {});
    expect(await errorCode(store.verify(id))).toBe("STORE.busy");
    hold.release();
    expect(await errorCode(store.verify("00".repeat(16)))).toBe("STORE.missing");
    const use = await store.holdModel(id);
    expect(await store.verify(id)).toEqual({ chunks: 4, damaged: 0 });
    use.release();
    await store.delete(id);
  });

  test("a partial file: what is there", async () => {
    const store = openSmallStore(memoryStore());
    const file = await store.open(plain.about, noDiagnostics());
    await file.put(3, chunksOf(plain.bytes)[3] ?? new Uint8Array());
    expect(await store.verify(id)).toEqual({ chunks: 1, damaged: 0 });
  });
});
