// Staging buffers while the CPU has them: mapped, their range given out once a mapping. What a driver throws at who touches them after the
// device is lost becomes the one error that says so.

import { ShaderloomError } from "../base/errors.ts";

/** A mapped staging buffer. */
export interface Slot {
  readonly buffer: GPUBuffer;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** @throws {ShaderloomError} GPU.lost */
export function mappedSlot(buffer: GPUBuffer): Slot {
  try {
    return { buffer, bytes: new Uint8Array(buffer.getMappedRange()) };
  } catch (cause) {
    throw lostDevice(cause);
  }
}

/** The buffer mapped again, once what was submitted is done with it. @throws {ShaderloomError} GPU.lost */
export async function remapped(buffer: GPUBuffer): Promise<Slot> {
  try {
    await buffer.mapAsync(2); // GPUMapMode.WRITE
  } catch (cause) {
    throw lostDevice(cause);
  }
  return mappedSlot(buffer);
}

function lostDevice(cause: unknown): ShaderloomError {
  return new ShaderloomError("GPU.lost", "The browser lost the GPU device. Load the model again.", { retryable: true, cause });
}
