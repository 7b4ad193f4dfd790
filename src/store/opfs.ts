// The OPFS tier: chunks at their offsets in files of 1 GiB, in workers through sync access handles, which read several GB/s
// straight into the caller's memory. Pages can read and delete but not write: without handles a write copies the whole file.
// Holes read as zeros and a torn write as what it left; the records of stored_file.ts decide what counts.

import { ShaderloomError, assert } from "../base/errors.ts";
import { type ChunkStore, chunkBytes, placeFor } from "./chunk_store.ts";
import { OpfsFolder, hasSyncHandles, isName, within } from "./opfs_files.ts";
import type { OpfsOptions, SyncHandle } from "./opfs_files.ts";
import { quotaFull } from "./quota.ts";

/** 1 GiB each, less where chunks are smaller: a mount that cannot hold larger files is met no more, but deleting in parts and reading by several workers is easier. */
const chunksPerFile = 256;
/** A file that changes while it is read is read again. */
const readAttempts = 5;

/** Whether chunks can be written here: in a worker of a browser that has sync access handles, outside modes that forbid them. */
export async function opfsAvailable(): Promise<boolean> {
  const storage: Partial<StorageManager> | undefined = globalThis.navigator?.storage;
  if (!hasSyncHandles() || storage?.getDirectory === undefined) return false;
  return storage.getDirectory().then(
    () => true,
    () => false,
  );
}

/**
 * Opens a folder of this origin's private file system, or makes it.
 *
 * @throws {ShaderloomError} STORE.unavailable, STORE.lost
 */
export async function openOpfs(folder: string, options: OpfsOptions = {}): Promise<ChunkStore> {
  const files = new OpfsFolder(folder, options);
  await files.run("Opening the model store", async () => undefined);
  return {
    tier: "opfs",
    put: (file, index, bytes, spacing = chunkBytes) => {
      assert(bytes.length <= spacing, `chunk ${index} of ${file} reaches into the next`);
      return put(files, placeOf(file, index, spacing), bytes);
    },
    read: (file, index, length, { into, spacing = chunkBytes } = {}) => {
      const place = placeFor(length, into);
      return files.run("Reading a chunk", (directory) => read({ files, directory }, placeOf(file, index, spacing), place));
    },
    delete: (file) =>
      files.run("Deleting chunks", async (directory) => {
        for (const name of await names(directory)) if (fileOf(name) === file) await files.remove(directory, name);
      }),
    files: () => files.run("Listing chunks", async (directory) => [...new Set((await names(directory)).map(fileOf))]),
    close: () => files.close(),
  };
}

interface Place {
  readonly name: string;
  /** Bytes. */
  readonly offset: number;
}

function placeOf(file: string, index: number, spacing: number): Place {
  assert(/^[0-9a-f]+$/.test(file) && Number.isSafeInteger(index) && index >= 0, `no place for chunk ${index} of ${file}`);
  return { name: `${file}.${Math.floor(index / chunksPerFile)}`, offset: (index % chunksPerFile) * spacing };
}

function fileOf(name: string): string {
  return name.split(".", 1)[0] ?? name;
}

async function names(directory: FileSystemDirectoryHandle): Promise<string[]> {
  const found: string[] = [];
  const list = directory.keys();
  for (let next = await within(list.next()); next.done !== true; next = await within(list.next())) found.push(next.value);
  return found.filter((name) => /^[0-9a-f]+\.\d+$/.test(name)).toSorted();
}

async function put(files: OpfsFolder, place: Place, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  if (!hasSyncHandles()) {
    const message =
      "A page cannot write to the private file system at a usable speed. Load the model in a worker, or choose the indexeddb tier.";
    throw new ShaderloomError("STORE.unavailable", message, { detail: { tier: "opfs" } });
  }
  await files.run("Storing a chunk", (directory) =>
    files.use(directory, place.name, { create: true, work: (handle) => write(handle, place.offset, bytes) }),
  );
}

function write(handle: SyncHandle, offset: number, bytes: Uint8Array<ArrayBuffer>): void {
  const before = handle.getSize();
  try {
    const written = handle.write(bytes, { at: offset });
    if (written < bytes.length) throw quotaFull("Storing a chunk", bytes.length);
    handle.flush();
  } catch (thrown) {
    // Room that was taken for half a chunk is room for something else.
    if (handle.getSize() > before) handle.truncate(before);
    throw thrown;
  }
}

interface Where {
  readonly files: OpfsFolder;
  readonly directory: FileSystemDirectoryHandle;
}

/** @param place filled wholly when the bytes are there */
async function read(
  { files, directory }: Where,
  { name, offset }: Place,
  place: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (!hasSyncHandles()) return readFile(directory, { name, offset }, place);
  try {
    return await files.use(directory, name, {
      create: false,
      work: (handle) => (handle.read(place, { at: offset }) === place.length ? place : undefined),
    });
  } catch (thrown) {
    if (!isName(thrown, "NoModificationAllowedError")) throw thrown;
    return readFile(directory, { name, offset }, place);
  }
}

/** Reads as a page does: beside handles that are open elsewhere, and several times slower. */
async function readFile(
  directory: FileSystemDirectoryHandle,
  { name, offset }: Place,
  place: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  let last: File | undefined;
  for (let attempt = 0; attempt < readAttempts; attempt++) {
    const file = await getFile(directory, name);
    if (file === undefined || file.size < offset + place.length) return undefined;
    // A file that nobody wrote to and that still cannot be read is damaged.
    if (last !== undefined && last.lastModified === file.lastModified && last.size === file.size) return undefined;
    last = file;
    const buffer = await within(file.slice(offset, offset + place.length).arrayBuffer()).catch(() => undefined);
    if (buffer === undefined || buffer.byteLength !== place.length) continue;
    place.set(new Uint8Array(buffer));
    return place;
  }
  const message = "Reading a chunk failed: another tab writes to its file. Wait until the other tab is done and try again.";
  throw new ShaderloomError("STORE.busy", message, { retryable: true, detail: { name } });
}

async function getFile(directory: FileSystemDirectoryHandle, name: string): Promise<File | undefined> {
  try {
    const entry = await within(directory.getFileHandle(name));
    return await within(entry.getFile());
  } catch (thrown) {
    if (isName(thrown, "NotFoundError")) return undefined;
    throw thrown;
  }
}
