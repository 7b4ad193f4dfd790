// ChunkStore: the large half of the store. Bytes of files in numbered chunks, nothing about what they mean or whether they are
// right: stored_file.ts keeps that. The interface; indexeddb.ts, opfs.ts, files.ts and memory.ts implement it.

/** Where chunks lie. `files` is a folder, in Node. */
export const storeTiers = ["memory", "indexeddb", "opfs", "files"] as const;

export type StoreTier = (typeof storeTiers)[number];

/** Bytes of a chunk; the last of a file is shorter. A ranged request covers several. */
export const chunkBytes: number = 4 << 20;

/** `file` is a name of [0-9a-f]; chunks are numbered from 0 and are `chunkBytes` apart in the file. */
export interface ChunkStore {
  readonly tier: StoreTier;
  /**
   * Stores a chunk over whatever was there. The bytes are the caller's again when the promise is settled.
   *
   * @returns when a killed process could no longer lose it
   * @throws {ShaderloomError} QUOTA.full, STORE.*
   */
  put(file: string, index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /**
   * `length` bytes of a chunk from its start, in `into` when that is given and large enough, else in memory of their own.
   *
   * @returns undefined when fewer bytes are there or they cannot be read: the caller fetches them again
   * @throws {ShaderloomError} STORE.* when the store itself is out of order
   */
  read(file: string, index: number, length: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Forgets all chunks of a file. Absent files are no error. */
  delete(file: string): Promise<void>;
  /** Files of which at least one chunk is there; to find what no manifest names any more. */
  files(): Promise<string[]>;
  close(): void;
}
