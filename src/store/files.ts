// The files tier, for Node: a folder with a file for each chunk and each value. One process at a time may write to a folder; the
// locks of process_locks.ts do not reach further.

import { ShaderloomError, assert } from "../base/errors.ts";
import { type ChunkStore, type ReadOptions, placeFor } from "./chunk_store.ts";
import { openFileValues } from "./file_values.ts";
import type { KeyValue } from "./key_value.ts";
import { absent, listFolder, nodeFileSystem, readStart, removeFile, replaceFile, sweepFolder } from "./node_files.ts";
import type { FileSystem } from "./node_files.ts";
import { asStoreError } from "./quota.ts";

/**
 * Opens a folder, or makes it. Values are plain JSON data here; handles of files cannot be kept.
 *
 * @throws {ShaderloomError} STORE.unavailable outside Node or where the folder may not be written to, QUOTA.full
 */
export async function openFiles(folder: string): Promise<{ keyValue: KeyValue; chunks: ChunkStore }> {
  const fs = nodeFileSystem();
  const [values, chunks] = [`${folder}/values`, `${folder}/chunks`];
  try {
    for (const path of [values, chunks]) await fs.mkdir(path, { recursive: true });
    for (const file of await listFolder(fs, chunks)) await sweepFolder(fs, `${chunks}/${file}`);
    return { keyValue: await openFileValues(fs, values), chunks: new FileChunks(fs, chunks) };
  } catch (thrown) {
    throw asStoreError(thrown, "Opening the model store");
  }
}

class FileChunks implements ChunkStore {
  readonly tier = "files";
  readonly #fs: FileSystem;
  readonly #folder: string;
  #closed = false;

  constructor(fs: FileSystem, folder: string) {
    this.#fs = fs;
    this.#folder = folder;
  }

  put(file: string, index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const path = this.#pathOf(file, index);
    return this.#run("Storing a chunk", async () => {
      await this.#fs.mkdir(this.#folderOf(file), { recursive: true });
      // A killed process loses nothing that the system has; a power cut may, and the record's checksum sees that.
      await replaceFile(this.#fs, path, { data: bytes, durability: "relaxed" });
    });
  }

  read(file: string, index: number, length: number, { into }: ReadOptions = {}): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const path = this.#pathOf(file, index);
    return this.#run("Reading a chunk", async () => {
      const place = placeFor(length, into);
      return (await readStart(this.#fs, path, place).catch(unreadable)) ? place : undefined;
    });
  }

  delete(file: string): Promise<void> {
    const folder = this.#folderOf(file);
    return this.#run("Deleting chunks", () => removeFile(this.#fs, folder));
  }

  files(): Promise<string[]> {
    return this.#run("Listing chunks", async () => {
      const found: string[] = [];
      for (const name of await listFolder(this.#fs, this.#folder)) {
        const chunks = await listFolder(this.#fs, `${this.#folder}/${name}`);
        if (chunks.length > 0) found.push(name);
      }
      return found;
    });
  }

  close(): void {
    this.#closed = true;
  }

  #folderOf(file: string): string {
    assert(/^[0-9a-f]+$/.test(file), `${file} is not the name of a stored file`);
    return `${this.#folder}/${file}`;
  }

  #pathOf(file: string, index: number): string {
    assert(Number.isSafeInteger(index) && index >= 0, `there is no chunk ${index}`);
    return `${this.#folderOf(file)}/${index}`;
  }

  async #run<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new ShaderloomError("STORE.closed", "The model store was closed. Open it again.");
    try {
      return await work();
    } catch (thrown) {
      throw asStoreError(thrown, what);
    }
  }
}

/** A disk that cannot read its sectors, or a folder where a file should be: the chunk is gone, the store is not. */
function unreadable(thrown: unknown): false {
  if (thrown instanceof Error && "code" in thrown && (thrown.code === "EIO" || thrown.code === "EISDIR")) return false;
  absent(thrown);
  return false;
}
