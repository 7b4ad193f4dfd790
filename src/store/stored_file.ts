// StoredFile: one file as checked chunks. A chunk counts as there once its bytes are stored and its record, written after them,
// is too; every later read checks the fast checksum, and a chunk that fails is dropped and reported as absent.

import type { Manifest } from "./manifest.ts";

export interface StoredFile {
  readonly manifest: Manifest;
  readonly chunkCount: number;
  /** Bytes of the chunks that are recorded as there. */
  readonly storedBytes: number;
  /** Whether a chunk is recorded as there. */
  has(index: number): boolean;
  /** sha256 of a chunk as recorded, 64 hex digits. */
  sha256Of(index: number): string | undefined;
  /**
   * Hashes the bytes, stores them, then the record. The bytes are the caller's again when the promise is settled.
   *
   * @throws {ShaderloomError} QUOTA.full, STORE.*; what was stored before stays
   */
  put(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /**
   * The bytes of a chunk, checked; in `into` when given and large enough.
   *
   * @returns undefined when the chunk is not there or was damaged; it is then no longer `has`
   */
  read(index: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Drops all chunks: the file as a whole was found wrong. */
  clear(): Promise<void>;
  /** Writes the manifest as complete, strictly. All chunks are there. */
  complete(facts: { readonly sha256: string | null; readonly verified: boolean }): Promise<void>;
}
