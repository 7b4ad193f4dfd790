import { afterEach, describe, expect, test, vi } from "vitest";
import { chunkCases, sameBytes, seededBytes } from "../testing/chunk_cases.ts";
import { opfsCases } from "../testing/opfs_cases.ts";
import type { OpfsAnswer, OpfsOrder } from "../testing/opfs_worker.ts";
import { errorCode } from "../testing/typed_error.ts";
import { chunkBytes } from "./chunk_store.ts";
import { opfsAvailable, openOpfs } from "./opfs.ts";

const file = "c2".repeat(16);
const workers = new Set<Worker>();
const folders = new Set<string>();

function newFolder(): string {
  const folder = `test-${crypto.randomUUID()}`;
  folders.add(folder);
  return folder;
}

/** Runs a case in a new worker, which lives until the test ends. */
async function inWorker(order: OpfsOrder): Promise<unknown> {
  const worker = new Worker(new URL("../testing/opfs_worker.ts", import.meta.url), { type: "module" });
  workers.add(worker);
  const answer = await new Promise<OpfsAnswer>((resolve, reject) => {
    worker.addEventListener("message", ({ data }: MessageEvent<OpfsAnswer>) => resolve(data));
    worker.addEventListener("error", ({ message }) => reject(new Error(`the worker failed: ${message}`)));
    worker.postMessage(order, []);
  });
  if (!answer.ok) throw new Error(answer.error);
  return answer.value;
}

function endWorkers(): void {
  for (const worker of workers) worker.terminate();
  workers.clear();
}

afterEach(async () => {
  vi.restoreAllMocks();
  endWorkers();
  const root = await navigator.storage.getDirectory();
  for (const folder of folders) {
    const remove = (): Promise<void> => root.removeEntry(folder, { recursive: true });
    await vi.waitFor(() => remove().catch((error: Error) => (error.name === "NotFoundError" ? undefined : Promise.reject(error))), 3000);
  }
  folders.clear();
});

describe("opfs: chunks, in a worker", () => {
  for (const name of Object.keys(chunkCases)) {
    test(name, async () => {
      await inWorker({ folder: newFolder(), name });
    });
  }
});

describe("opfs: what it alone can suffer, in a worker", () => {
  for (const name of Object.keys(opfsCases)) {
    test(name, async () => {
      await inWorker({ folder: newFolder(), name });
    });
  }
});

describe("opfs: in a page", () => {
  test("is there in workers only", async () => {
    expect(await opfsAvailable()).toBe(false);
    expect(await inWorker({ folder: newFolder(), name: "available" })).toBe(true);
  });

  test("reads and lists beside a worker that holds the file, and does not write", async () => {
    const folder = newFolder();
    await inWorker({ folder, name: "puts a chunk for another thread" });
    const store = await openOpfs(folder);
    expect(await store.files()).toEqual([file]);
    const place = new Uint8Array(chunkBytes);
    const read = await store.read(file, 0, chunkBytes, { into: place });
    expect(read?.buffer).toBe(place.buffer);
    expect(sameBytes(read, seededBytes(chunkBytes, 7))).toBe(true);
    expect(sameBytes(await store.read(file, 1, 4000), seededBytes(4000, 8))).toBe(true);
    expect(await store.read(file, 1, 4001)).toBeUndefined();
    expect(await store.read(file, 256, 1)).toBeUndefined();
    expect(await errorCode(store.put(file, 2, seededBytes(10, 1)))).toBe("STORE.unavailable");
    store.close();
    expect(await errorCode(store.read(file, 1, 4000))).toBe("STORE.closed");
  });

  test("deletes what a worker that was ended, or one that is idle, left", async () => {
    for (const end of [endWorkers, () => undefined]) {
      const folder = newFolder();
      await inWorker({ folder, name: "puts a chunk for another thread" });
      end();
      const store = await openOpfs(folder);
      await store.delete(file);
      expect(await store.files()).toEqual([]);
      store.close();
    }
  });

  test("a file that is written while it is read is read again, a damaged one is absent", async () => {
    const folder = newFolder();
    await inWorker({ folder, name: "puts a chunk for another thread" });
    const store = await openOpfs(folder);
    const unreadable = new DOMException("the file changed", "NotReadableError");
    vi.spyOn(Blob.prototype, "arrayBuffer").mockRejectedValue(unreadable);
    expect(await store.read(file, 1, 4000)).toBeUndefined();
    const real: () => Promise<File> = Reflect.get(FileSystemFileHandle.prototype, "getFile");
    let changes = 0;
    vi.spyOn(FileSystemFileHandle.prototype, "getFile").mockImplementation(async function spy(this: FileSystemFileHandle) {
      const found = await real.call(this);
      Object.defineProperty(found, "lastModified", { value: changes++ });
      return found;
    });
    expect(await errorCode(store.read(file, 1, 4000))).toBe("STORE.busy");
    vi.spyOn(Blob.prototype, "arrayBuffer").mockRestore();
    vi.spyOn(Blob.prototype, "arrayBuffer").mockRejectedValueOnce(unreadable);
    expect(sameBytes(await store.read(file, 1, 4000), seededBytes(4000, 8))).toBe(true);
    store.close();
  });

  test("without a private file system it is STORE.unavailable", async () => {
    vi.spyOn(navigator.storage, "getDirectory").mockRejectedValue(new DOMException("private mode", "SecurityError"));
    expect(await errorCode(openOpfs(newFolder()))).toBe("STORE.unavailable");
    vi.spyOn(navigator, "storage", "get").mockReturnValue({} as StorageManager);
    expect(await errorCode(openOpfs(newFolder()))).toBe("STORE.unavailable");
    expect(await opfsAvailable()).toBe(false);
  });
});
