// ByteSource: random access to the bytes of a model file, wherever they are. The interface and its simplest case, bytes in
// memory; source.ts picks the implementation for a location.

import { ShaderloomError, throwIfAborted } from "../base/errors.ts";
import type { StoreTier } from "../store/chunk_store.ts";

/** How one range is read. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told of each run of bytes as it arrives, if the source sees them arrive; the sum never exceeds the length. */
  readonly onBytes?: ((count: number) => void) | undefined;
  /** A place of at least the length that the source may fill and give a view of, which saves an allocation; it may also ignore it. */
  readonly into?: Uint8Array<ArrayBuffer> | undefined;
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** A file of the model store behind a source. */
export interface StoredState {
  /** The file's own id, and that of its model: its own, or the first shard's. */
  readonly id: string;
  readonly model: string;
  readonly tier: StoreTier;
  /** Bytes of the file that are stored now. */
  storedBytes(): number;
  /** Whether the next load needs no network. */
  complete(): boolean;
  /** Whether the whole file was hashed and is what its origin or the caller promised. */
  verified(): boolean;
  /** Why the file is not stored, or not all of it. */
  warning(): ShaderloomError | undefined;
}

export interface ByteSource {
  /** For messages and progress: a file name, or an address without query and credentials. */
  readonly name: string;
  /** Total bytes, known after opening. */
  readonly size: number;
  /** Absent when nothing of it is stored or will be. */
  readonly stored?: StoredState | undefined;
  /** Why nothing of it is stored although that was asked for; with `stored`, its own `warning` says so. */
  readonly unstored?: ShaderloomError | undefined;
  /** Whether all bytes are on this computer already. */
  readonly local?: boolean | undefined;
  /** How many reads at once it gains from; each takes its reader memory. 4 unless told. */
  readonly readsAtOnce?: number | undefined;
  /** Bytes of a read that it gains from; reads cross no multiple of it. The store's chunk unless told. */
  readonly readBytes?: number | undefined;
  /**
   * Exactly `length` bytes at `offset`, as a view that nobody writes to.
   *
   * @throws {ShaderloomError} SOURCE.*, NET.*, INTEGRITY.* or AbortError
   */
  read(offset: number, length: number, options?: ReadOptions): Promise<Uint8Array>;
  /** Says which ranges will be read, first-needed first, so that a slow source can run ahead of the reader. Replaces what was said before. */
  expect?(ranges: readonly ByteRange[]): void;
  /**
   * Ends well: waits until everything that this source promised beyond single reads is done, such as storing and checking the whole file.
   *
   * @throws {ShaderloomError} INTEGRITY.* when the file as a whole is not what was promised, NET.*, AbortError
   */
  finish?(signal?: AbortSignal): Promise<void>;
  /** Drops what is held in memory and ends what is under way. Reads after it fail. */
  close?(): void;
}

/** Bytes that are in memory already; reads are views of them. */
export function bytesSource(bytes: Uint8Array, name = "model in memory"): ByteSource {
  return {
    name,
    size: bytes.length,
    read: async (offset, length, { signal } = {}) => {
      throwIfAborted(signal);
      checkRange({ name, size: bytes.length }, offset, length);
      return bytes.subarray(offset, offset + length);
    },
  };
}

/** @throws {ShaderloomError} SOURCE.range when the range is not inside the source */
export function checkRange(source: { readonly name: string; readonly size: number }, offset: number, length: number): void {
  const valid = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (valid && offset + length <= source.size) return;
  const message = `${source.name} has ${source.size} bytes; ${length} at offset ${offset} were asked for. Get the file again.`;
  throw new ShaderloomError("SOURCE.range", message, { detail: { offset, length, size: source.size } });
}

/** SOURCE.length: a source broke its promise of exact lengths. */
export function shortRead(name: string, range: { readonly offset: number; readonly length: number }, got: number): ShaderloomError {
  const message = `Reading ${name} at offset ${range.offset} gave ${got} bytes instead of ${range.length}. Try again, or pick the file again.`;
  return new ShaderloomError("SOURCE.length", message, { retryable: true, detail: { ...range, got } });
}

/** SOURCE.closed: a read after `close`. */
export function closedSource(name: string): ShaderloomError {
  return new ShaderloomError("SOURCE.closed", `${name} was closed. Open the model again.`);
}
