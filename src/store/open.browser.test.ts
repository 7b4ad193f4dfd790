import { afterAll, afterEach, describe, expect, test } from "vitest";
import { download, testFile } from "../testing/small_store.ts";
import { sameBytes, seededBytes } from "../testing/chunk_cases.ts";
import type { StoreOrder } from "../testing/store_worker.ts";
import { errorCode } from "../testing/typed_error.ts";
import { chunkBytes } from "./chunk_store.ts";
import { noDiagnostics } from "./diagnostics.ts";
import { fileId } from "./manifest.ts";
import type { DownloadNews, ModelStore, ModelStoreOptions } from "./model_store.ts";
import { openIndexedDb } from "./indexeddb.ts";
import { openNamedStore } from "./open.ts";
import { openOpfs } from "./opfs.ts";

const opened: ModelStore[] = [];

/** Of this file alone: others run beside it in the same origin. */
const name = `test-${crypto.randomUUID()}`;

async function openHere(options: ModelStoreOptions = { tier: "indexeddb" }): Promise<ModelStore> {
  const store = await openNamedStore(name, options);
  if (store === undefined) throw new Error("no storage in this browser");
  opened.push(store);
  return store;
}

afterEach(async () => {
  const store = await openHere();
  for (const { id } of await store.list()) await store.delete(id);
  for (const one of opened.splice(0)) one.close();
});

afterAll(async () => {
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(name, { recursive: true });
  indexedDB.deleteDatabase(name);
});

async function ourLocks(): Promise<string[]> {
  const { held = [], pending = [] } = await navigator.locks.query();
  return [...held, ...pending].flatMap((lock) => (lock.name?.startsWith(name) ? [lock.name.slice(name.length)] : []));
}

const address = "https://host.test/model.gguf";
const bytes = seededBytes(2 * chunkBytes + 1000, 1);
const about = { url: address, revision: "1", name: "model.gguf", bytes: bytes.length, sha256: null };

async function storeModel(target: ModelStore): Promise<void> {
  const file = await target.open(about, noDiagnostics());
  for (const index of [2, 0, 1]) await file.put(index, bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes));
  await file.complete({ sha256: null, verified: false });
}

test("what one store of this origin keeps another finds, byte for byte", async () => {
  await storeModel(await openHere());
  const other = await openHere();
  const [manifest] = await other.find(address);
  expect(manifest).toMatchObject({ state: "complete", tier: "indexeddb", id: await fileId(about) });
  const file = await other.open(about, noDiagnostics());
  const place = new Uint8Array(chunkBytes);
  for (const index of [0, 1, 2]) {
    expect(sameBytes(await file.read(index, place), bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes))).toBe(true);
  }
  expect(await other.verify(await fileId(about))).toEqual({ chunks: 3, damaged: 0 });
  expect((await other.list())[0]).toMatchObject({ complete: true, storedBytes: bytes.length });
  expect((await other.space()).usedBytes).toBeGreaterThan(bytes.length);
});

test("row 57: a model that another store uses or downloads is not deleted; no lock is left when all is idle", async () => {
  const [mine, other] = [await openHere(), await openHere()];
  const small = testFile(address, { bytes: 500 });
  await download(mine, small);
  const id = await fileId(small.about);
  const use = await other.holdModel(id);
  expect(await ourLocks()).toEqual([`/use/${id}`]);
  expect(await errorCode(mine.delete(id))).toBe("STORE.busy");
  use.release();
  const hold = await other.lockDownload(address, {});
  expect(await ourLocks()).toEqual([`/download/${address}`]);
  expect(await errorCode(mine.delete(id))).toBe("STORE.busy");
  expect(await errorCode(mine.verify(id))).toBe("STORE.busy");
  hold.release();
  await mine.delete(id);
  expect(await mine.list()).toEqual([]);
  await expect.poll(ourLocks).toEqual([]);
});

test("row 54: a second download waits, hears news, and gives up with its signal", async () => {
  const [mine, other] = [await openHere(), await openHere()];
  const hold = await mine.lockDownload(address, {});
  const heard: DownloadNews[] = [];
  const waiting = other.lockDownload(address, { onNews: (news) => heard.push(news) });
  const stop = new AbortController();
  const impatient = errorCode(mine.lockDownload(address, { signal: stop.signal }));
  await expect.poll(async () => (await ourLocks()).length).toBe(3);
  mine.announce(address, { loaded: 5, total: 10, bytesPerSecond: 1 });
  const script = new BroadcastChannel(name);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- the channel of an origin has no target
  script.postMessage({ kind: "download", url: address, loaded: 11, total: 10, bytesPerSecond: 1 });
  script.close();
  await expect.poll(() => heard.length).toBe(1);
  stop.abort();
  expect(await impatient).toBe("AbortError");
  hold.release();
  (await waiting).release();
  expect(heard).toEqual([{ loaded: 5, total: 10, bytesPerSecond: 1 }]);
  await expect.poll(ourLocks).toEqual([]);
});

test("row 55: the lock of a context that died is free at once", async () => {
  const code = `navigator.locks.request("${name}/download/${address}", () => { postMessage("held"); return new Promise(() => {}); });`;
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  await new Promise((resolve) => worker.addEventListener("message", resolve, { once: true }));
  const mine = await openHere();
  const waiting = mine.lockDownload(address, {});
  await expect.poll(async () => (await ourLocks()).length).toBe(2);
  worker.terminate();
  (await waiting).release();
  await expect.poll(ourLocks).toEqual([]);
});

test("a file handle is remembered over stores, and its loss is said", async () => {
  const root = await navigator.storage.getDirectory();
  const handle = await root.getFileHandle("local.gguf", { create: true });
  const stream = await handle.createWritable();
  await stream.write("12345");
  await stream.close();
  const model = await (await openHere()).remember(handle);
  expect(model).toMatchObject({ kind: "remembered", name: "local.gguf", bytes: 5, storedBytes: 0 });
  const other = await openHere();
  expect((await other.remember(await root.getFileHandle("local.gguf"))).id).toBe(model.id);
  expect(await (await other.fileOf(model.id)).text()).toBe("12345");
  await root.removeEntry("local.gguf");
  expect(await errorCode(other.fileOf(model.id))).toBe("SOURCE.missing");
  await other.delete(model.id);
  expect(await other.list()).toEqual([]);
});

test("a local file is imported through the real database", async () => {
  const target = await openHere();
  const imported = await target.importFile(new File([bytes], "copy.gguf", { lastModified: 5 }));
  expect(imported).toMatchObject({ kind: "imported", complete: true, storedBytes: bytes.length });
  expect(await target.verify(imported.id)).toEqual({ chunks: 3, damaged: 0 });
});

describe("a model that a worker stored in the private file system", () => {
  const order: StoreOrder = { name, url: "https://host.test/worker.gguf", bytes: bytes.length, seed: 1 };

  async function startWorker(): Promise<{ readonly worker: Worker; readonly tier: unknown }> {
    const worker = new Worker(new URL("../testing/store_worker.ts", import.meta.url), { type: "module" });
    const tier = await new Promise((resolve, reject) => {
      worker.addEventListener("message", ({ data }) => resolve(data), { once: true });
      worker.addEventListener("error", ({ message }) => reject(new Error(message)), { once: true });
      worker.postMessage(order, []);
    });
    return { worker, tier };
  }

  test("is found, read and checked by the page, guarded by the worker's lock, and deleted once the worker is gone", async () => {
    const { worker, tier } = await startWorker();
    expect(tier).toBe("opfs");
    const page = await openHere({});
    expect(page.tier).toBe("indexeddb");
    const [manifest] = await page.find(order.url);
    expect(manifest).toMatchObject({ state: "complete", tier: "opfs" });
    const diagnostics = noDiagnostics();
    const file = await page.open({ ...about, url: order.url }, diagnostics);
    for (const index of [0, 1, 2]) {
      expect(sameBytes(await file.read(index), bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes))).toBe(true);
    }
    expect(diagnostics.damagedChunks).toBe(0);
    expect((await page.list())[0]).toMatchObject({ tier: "opfs", complete: true, storedBytes: bytes.length });
    const id = manifest?.id ?? "";
    expect(await page.verify(id)).toEqual({ chunks: 3, damaged: 0 });
    expect(await errorCode(page.delete(id))).toBe("STORE.busy");
    expect((await page.find(order.url))[0]?.state).toBe("complete");
    worker.terminate();
    await expect.poll(ourLocks).toEqual([]);
    await expect
      .poll(() =>
        page.delete(id).then(
          () => "gone",
          (thrown: { code: string }) => thrown.code,
        ),
      )
      .toBe("gone");
    expect(await page.list()).toEqual([]);
  });

  test("and whose database entry is lost is swept up by the next load", async () => {
    const { worker } = await startWorker();
    worker.terminate();
    await expect.poll(ourLocks).toEqual([]);
    const { keyValue } = await openIndexedDb(name);
    await keyValue.delete(await keyValue.keys(""));
    keyValue.close();
    const page = await openHere();
    expect(await page.list()).toEqual([]);
    const diagnostics = noDiagnostics();
    await page.open(about, diagnostics);
    expect(diagnostics.damagedManifests).toBe(1);
    const opfs = await openOpfs(name);
    expect(await opfs.files()).toEqual([]);
    opfs.close();
  });
});
