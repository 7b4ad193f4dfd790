// Reads results back through a ring of mappable buffers that are made once and reused, so that a steady decode loop creates
// nothing.

import { ShaderloomError } from "../base/errors.ts";
import { alignUp } from "../base/math.ts";
import { type BufferLedger, readbackUsage } from "./buffers.ts";

/** A mappable buffer in use: copy into it while encoding, read it after the submit. */
export interface ReadbackSlot {
  /** Encodes a copy of `bytes` at `offset` of `source` to `at` in this slot. */
  copy(encoder: GPUCommandEncoder, copy: { source: GPUBuffer; offset?: number; bytes: number; at?: number }): void;
  /** The bytes copied, once the GPU is done; frees the slot. */
  read(): Promise<ArrayBuffer>;
}

export interface Readback {
  /** A free slot of at least `bytes`. */
  take(bytes: number): ReadbackSlot;
  /** Bytes read back so far. */
  readonly bytesRead: number;
}

/** Bytes of the slots that tokens in flight take. */
const smallSlot = 256;

/** @param sizes  slots to make at once, in bytes, smallest first */
export function createReadback(ledger: BufferLedger, sizes: readonly number[] = []): Readback {
  const make = (bytes: number): GPUBuffer =>
    ledger.create("other", { label: "readback", size: alignUp(bytes, smallSlot), usage: readbackUsage });
  const free: GPUBuffer[] = sizes.map(make);
  let bytesRead = 0;
  const takeBuffer = (bytes: number): GPUBuffer => {
    // A small one leaves the large ones to large ones.
    const index = free.findIndex((buffer) => buffer.size >= bytes && (bytes > smallSlot || buffer.size === smallSlot));
    return index >= 0 ? free.splice(index, 1)[0] : make(bytes);
  };
  // Smallest first, so that a read takes the smallest slot that will do; among equals the one longest unused comes first.
  const putBack = (buffer: GPUBuffer): void => {
    const index = free.findIndex(({ size }) => size > buffer.size);
    free.splice(index < 0 ? free.length : index, 0, buffer);
  };
  return {
    take(bytes) {
      const buffer = takeBuffer(bytes);
      let end = 0;
      return {
        copy(encoder, { source, offset = 0, bytes: size, at = 0 }) {
          encoder.copyBufferToBuffer(source, offset, buffer, at, size);
          end = Math.max(end, at + size);
        },
        async read() {
          try {
            await buffer.mapAsync(1, 0, end); // GPUMapMode.READ
          } catch (cause) {
            // A mapping fails with its device, and then with the name AbortError, which is no abort of ours.
            throw new ShaderloomError("GPU.lost", "The browser lost the GPU device. Load the model again.", { retryable: true, cause });
          }
          const copied = buffer.getMappedRange(0, end).slice(0);
          buffer.unmap();
          putBack(buffer);
          bytesRead += end;
          return copied;
        },
      };
    },
    get bytesRead() {
      return bytesRead;
    },
  };
}
