// What the OPFS tier alone can suffer, in plain functions that run inside a worker: short writes, vanished files, other holders.
import { chunkBytes } from "../store/chunk_store.ts";
import type { ChunkStore } from "../store/chunk_store.ts";
import { openOpfs } from "../store/opfs.ts";
import { check, holds, lacks, same, seededBytes } from "./chunk_cases.ts";
import { typedError } from "./typed_error.ts";

const file = "c2".repeat(16);

async function directoryOf(folder: string): Promise<FileSystemDirectoryHandle> {
  return (await navigator.storage.getDirectory()).getDirectoryHandle(folder, { create: true });
}

/** Puts a replacement of a handle's method in place for the time of one call. */
async function withHandle(name: string, replacement: (...given: never[]) => unknown, run: () => Promise<void>): Promise<void> {
  const proto = Reflect.get(Reflect.get(globalThis, "FileSystemSyncAccessHandle") as object, "prototype") as object;
  const real: unknown = Reflect.get(proto, name);
  Reflect.set(proto, name, replacement);
  try {
    await run();
  } finally {
    Reflect.set(proto, name, real);
  }
}

async function refused(store: ChunkStore, bytes: Uint8Array<ArrayBuffer>, index: number): Promise<void> {
  const error = await typedError(store.put(file, index, bytes));
  same([error.code, error.detail.needed ?? null], ["QUOTA.full", error.detail.cause === "short write" ? bytes.length : null]);
}

function refuse(): never {
  throw new DOMException("no room", "QuotaExceededError");
}

/** Each is given the name of an empty folder. */
export const opfsCases: Readonly<Record<string, (folder: string) => Promise<unknown>>> = {
  "is there for the next to open it, one file for each GiB": async (folder) => {
    const first = await openOpfs(folder);
    await first.put(file, 2, seededBytes(5000, 1));
    await first.put(file, 256, seededBytes(6000, 2));
    first.close();
    const second = await openOpfs(folder);
    await holds(second, file, 2, seededBytes(5000, 1));
    await holds(second, file, 256, seededBytes(6000, 2));
    const directory = await directoryOf(folder);
    const sizes: number[] = [];
    for (const at of [0, 1]) sizes.push((await (await directory.getFileHandle(`${file}.${at}`)).getFile()).size);
    same(sizes, [2 * chunkBytes + 5000, 6000]);
    second.close();
  },

  "two who are open at once see each other's chunks": async (folder) => {
    const [one, two] = [await openOpfs(folder), await openOpfs(folder)];
    await one.put(file, 0, seededBytes(4000, 1));
    await holds(two, file, 0, seededBytes(4000, 1));
    await two.put(file, 1, seededBytes(4000, 2));
    await holds(one, file, 1, seededBytes(4000, 2));
    one.close();
    two.close();
  },

  "a write that stores less than it was given is QUOTA.full and takes no room": async (folder) => {
    const store = await openOpfs(folder);
    await store.put(file, 0, seededBytes(chunkBytes, 1));
    await withHandle(
      "write",
      () => 1000,
      () => refused(store, seededBytes(chunkBytes, 2), 1),
    );
    await withHandle("write", refuse, () => refused(store, seededBytes(chunkBytes, 2), 1));
    await withHandle("flush", refuse, () => refused(store, seededBytes(chunkBytes, 2), 1));
    await holds(store, file, 0, seededBytes(chunkBytes, 1));
    await lacks(store, file, 1, chunkBytes);
    await store.put(file, 1, seededBytes(2000, 3));
    await holds(store, file, 1, seededBytes(2000, 3));
    store.close();
  },

  "a file that was cut short reads as absent": async (folder) => {
    const store = await openOpfs(folder);
    await store.put(file, 0, seededBytes(4000, 1));
    store.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const handle = await (await directoryOf(folder)).getFileHandle(`${file}.0`);
    const writable = await handle.createWritable({ keepExistingData: true });
    await writable.truncate(3999);
    await writable.close();
    const again = await openOpfs(folder);
    await lacks(again, file, 0, 4000);
    await holds(again, file, 0, seededBytes(4000, 1).subarray(0, 3999));
    again.close();
  },

  "more files than handles are kept open": async (folder) => {
    const store = await openOpfs(folder);
    const files = [...Array(20).keys()].map((at) => at.toString(16).padStart(32, "0"));
    await Promise.all(files.map((name, at) => store.put(name, at % 3, seededBytes(3000, at))));
    for (const [at, name] of files.entries()) await holds(store, name, at % 3, seededBytes(3000, at));
    same((await store.files()).length, 20);
    for (const name of files) await store.delete(name);
    same(await store.files(), []);
    store.close();
  },

  "another holder's exclusive handle leaves reading possible, and writing and deleting a typed refusal": async (folder) => {
    const store = await openOpfs(folder);
    await store.put(file, 0, seededBytes(4000, 1));
    store.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const entry = await (await directoryOf(folder)).getFileHandle(`${file}.0`);
    const make = Reflect.get(entry, "createSyncAccessHandle") as () => Promise<{ close(): void }>;
    const exclusive = await make.call(entry);
    const again = await openOpfs(folder);
    const place = new Uint8Array(5000);
    const read = await again.read(file, 0, 4000, { into: place });
    check(read?.buffer === place.buffer, "the place given was not used");
    await holds(again, file, 0, seededBytes(4000, 1));
    await lacks(again, file, 0, 4001);
    const refusals = await Promise.all([typedError(again.put(file, 1, seededBytes(10, 1))), typedError(again.delete(file))]);
    same(
      refusals.map(({ code, retryable }) => [code, retryable]),
      [
        ["STORE.busy", true],
        ["STORE.busy", true],
      ],
    );
    // It lets go within the time that writers wait.
    const written = again.put(file, 1, seededBytes(10, 1));
    setTimeout(() => exclusive.close(), 100);
    await written;
    await holds(again, file, 1, seededBytes(10, 1));
    again.close();
  },

  "a folder that vanishes under it is made anew, and what was in it is absent": async (folder) => {
    let reconnects = 0;
    const store = await openOpfs(folder, { onReconnect: () => reconnects++ });
    await store.put(file, 0, seededBytes(4000, 1));
    await store.put(file, 300, seededBytes(4000, 1));
    await new Promise((resolve) => setTimeout(resolve, 700));
    await (await navigator.storage.getDirectory()).removeEntry(folder, { recursive: true });
    await lacks(store, file, 0, 4000);
    same(await store.files(), []);
    await store.put(file, 1, seededBytes(100, 2));
    await holds(store, file, 1, seededBytes(100, 2));
    await lacks(store, file, 300, 4000);
    same(reconnects, 1);
    store.close();
  },

  "puts a chunk for another thread": async (folder) => {
    const store = await openOpfs(folder);
    await store.put(file, 0, seededBytes(chunkBytes, 7));
    await store.put(file, 1, seededBytes(4000, 8));
    return "open";
  },
};
