// ChunkStore: the large half of the store. Bytes of files in numbered chunks, nothing about what they mean or whether they are
// right: stored_file.ts keeps that. The interface; indexeddb.ts, opfs.ts, files.ts and memory.ts implement it.

/** Where chunks lie. `files` is a folder, in Node. */
export const storeTiers = ["memory", "indexeddb", "opfs", "files"] as const;

export type StoreTier = (typeof storeTiers)[number];

/** Bytes of a chunk; the last of a file is shorter. A ranged request covers several. */
export const chunkBytes: number = 4 << 20;

/** How a chunk is read. */
export interface ReadOptions {
  /** Filled, when it is large enough, instead of memory of the chunk's own. May be memory that is mapped for a GPU. */
  readonly into?: Uint8Array<ArrayBuffer> | undefined;
  /** As it was put with. */
  readonly spacing?: number | undefined;
}

/** `file` is a name of [0-9a-f]; chunks are numbered from 0. */
export interface ChunkStore {
  readonly tier: StoreTier;
  /**
   * Stores a chunk over whatever was there. The bytes are the caller's again when the promise is settled.
   *
   * @param spacing bytes from one chunk's start to the next where chunks share a file of the system's; the same for all of `file`,
   * `chunkBytes` unless given
   * @returns when a killed process could no longer lose it
   * @throws {ShaderloomError} QUOTA.full, STORE.*
   */
  put(file: string, index: number, bytes: Uint8Array<ArrayBuffer>, spacing?: number): Promise<void>;
  /**
   * `length` bytes of a chunk from its start.
   *
   * @returns undefined when fewer bytes are there or they cannot be read: the caller fetches them again
   * @throws {ShaderloomError} STORE.* when the store itself is out of order
   */
  read(file: string, index: number, length: number, options?: ReadOptions): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Forgets all chunks of a file. Absent files are no error. */
  delete(file: string): Promise<void>;
  /** Files of which at least one chunk is there; to find what no manifest names any more. */
  files(): Promise<string[]>;
  close(): void;
}

/** Where `length` bytes are read to. */
export function placeFor(length: number, into: Uint8Array<ArrayBuffer> | undefined): Uint8Array<ArrayBuffer> {
  return into !== undefined && into.length >= length ? into.subarray(0, length) : new Uint8Array(length);
}
