import { describe, expect, test } from "vitest";
import { chunksOf, download, expectHonest, openSmallStore, testFile } from "../testing/small_store.ts";
import { errorCode } from "../testing/typed_error.ts";
import { noDiagnostics } from "./diagnostics.ts";
import { chunkKey, fileId, manifestKey } from "./manifest.ts";
import { memoryStore } from "./memory.ts";

const address = "https://host.test/model.gguf";
const model = testFile(address);
const id = await fileId(model.about);

describe("row 52: the browser lost part of its database", () => {
  test("all keys: nothing is claimed, the chunks left in the other tier are swept up, and it is counted", async () => {
    const halves = memoryStore();
    await download(openSmallStore(halves), model);
    const keys = await halves.keyValue.keys("");
    await halves.keyValue.delete(keys);
    const store = openSmallStore(halves);
    expect([await store.find(address), await store.list()]).toEqual([[], []]);
    const diagnostics = noDiagnostics();
    await store.open(testFile("https://host.test/other").about, diagnostics);
    expect(diagnostics.damagedManifests).toBe(1);
    expect(await halves.chunks.files()).toEqual([]);
    expect((await download(store, model)).manifest.state).toBe("complete");
  });

  test("any set of keys: what is left is honest, and of what was recorded nothing is fetched again", async () => {
    const all = [manifestKey(id), ...[0, 1, 2, 3].map((index) => chunkKey(id, index))];
    for (let lost = 0; lost < 1 << all.length; lost++) {
      const halves = memoryStore();
      await download(openSmallStore(halves), model);
      await halves.keyValue.delete(all.filter((_, at) => (lost >> at) & 1));
      const store = openSmallStore(halves);
      const records = [0, 1, 2, 3].filter((index) => ((lost >> (index + 1)) & 1) === 0);
      const [found] = await store.find(address);
      expect(found?.state).toBe(lost & 1 ? undefined : records.length === 4 ? "complete" : "partial");
      const refetched: number[] = [];
      const diagnostics = noDiagnostics();
      const file = await download(store, model, { diagnostics, onPut: (index) => refetched.push(index) });
      expect(refetched).toEqual([0, 1, 2, 3].filter((index) => !records.includes(index)));
      expect(await expectHonest(file, model.bytes)).toEqual([0, 1, 2, 3]);
      if ((lost & 1) === 0) expect(diagnostics.damagedChunks).toBe(4 - records.length);
    }
  });

  test("the manifest alone: what it named is listed, counted, can be deleted, and is never swept up by others", async () => {
    for (const damage of ["gone", "flipped"]) {
      const halves = memoryStore();
      await download(openSmallStore(halves), model);
      if (damage === "gone") await halves.keyValue.delete([manifestKey(id)]);
      else await halves.keyValue.set([[manifestKey(id), "x"]]);
      const store = openSmallStore(halves);
      await download(store, testFile("https://host.test/other"));
      expect((await store.list()).find((one) => one.id === id)).toMatchObject({
        name: `damaged entry ${id.slice(0, 8)}`,
        storedBytes: model.about.bytes,
        complete: false,
        location: `stored:${id}`,
      });
      expect(await errorCode(store.verify(id))).toBe("STORE.missing");
      const elsewhere = await store.lockDownload("https://host.test/third", {});
      expect(await errorCode(store.delete(id))).toBe("STORE.busy");
      elsewhere.release();
      await store.delete(id);
      expect((await store.list()).length).toBe(1);
      expect((await halves.keyValue.keys("")).filter((key) => key.includes(id))).toEqual([]);
    }
  });

  test("row 50: everything, while a file is open: it is not called complete", async () => {
    const halves = memoryStore();
    const store = openSmallStore(halves);
    const file = await store.open(model.about, noDiagnostics());
    for (const [index, bytes] of chunksOf(model.bytes).entries()) {
      if (index === 2) await halves.keyValue.delete(await halves.keyValue.keys(""));
      await file.put(index, bytes);
    }
    expect(await errorCode(file.complete({ sha256: null, verified: false }))).toBe("STORE.evicted");
    expect([0, 1, 2, 3].map((index) => file.has(index))).toEqual([false, false, true, true]);
    expect((await download(openSmallStore(halves), model)).manifest.state).toBe("complete");
  });
});
