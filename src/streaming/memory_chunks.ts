// Chunks of an image in this process's memory, for where nothing is stored or nothing more fits. They are checked like stored ones.

import { ShaderloomError } from "../base/errors.ts";
import { checksum64 } from "../store/hash.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export interface MemoryChunks {
  has(index: number): boolean;
  /** Keeps a copy. @throws {ShaderloomError} QUOTA.memory */
  put(index: number, bytes: Bytes): Promise<void>;
  /** @returns whether it was there and undamaged; one that was not is gone. @throws {ShaderloomError} GPU.lost */
  read(index: number, into: Bytes): Promise<boolean>;
  clear(): void;
}

export function memoryChunks(): MemoryChunks {
  const chunks = new Map<number, { readonly bytes: Bytes; readonly checksum: string }>();
  return {
    has: (index) => chunks.has(index),
    put: async (index, bytes) => {
      const copy = copyOf(bytes);
      chunks.set(index, { bytes: copy, checksum: await checksum64(copy) });
    },
    read: async (index, into) => {
      const chunk = chunks.get(index);
      if (chunk === undefined) return false;
      // Before it is copied: memory that is mapped for a GPU can be slow to read.
      if ((await checksum64(chunk.bytes)) !== chunk.checksum) {
        chunks.delete(index);
        return false;
      }
      fill(into, chunk.bytes);
      return true;
    },
    clear: () => chunks.clear(),
  };
}

/** @throws {ShaderloomError} GPU.lost when the place is gone, as mapped memory is once its device is */
export function fill(into: Bytes, bytes: Bytes): void {
  if (into.length < bytes.length) throw lostPlace();
  into.set(bytes);
}

export function lostPlace(): ShaderloomError {
  const message = "The GPU memory that layers are read into is gone. Load the model again.";
  return new ShaderloomError("GPU.lost", message, { retryable: true });
}

function copyOf(bytes: Bytes): Bytes {
  try {
    return bytes.slice();
  } catch (thrown) {
    const message =
      "The layers to be streamed fit neither in storage nor in memory. Free storage for this page, or choose a smaller model or quantization.";
    throw new ShaderloomError("QUOTA.memory", message, { detail: { needed: bytes.length }, cause: thrown });
  }
}
