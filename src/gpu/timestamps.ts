// Begin and end of GPU passes, where the device has `timestamp-query`. Owns its queries and buffers; made only when something is to be
// timed. What the stamps mean is the caller's affair, but for how coarse they are.

import { ShaderloomError } from "../base/errors.ts";
import { alignUp } from "../base/math.ts";
import { type BufferLedger, readbackUsage } from "./buffers.ts";

/** Times passes of one submit after the other. */
export interface Timestamps {
  /** What the pass `index` of a submit, below the capacity, begins with. */
  writes(index: number): GPUComputePassTimestampWrites;
  /** Ends the encoding of a submit with `count` timed passes. */
  resolve(encoder: GPUCommandEncoder, count: number): void;
  /**
   * Begin and end of each pass, in nanoseconds, [2 * count], once the submit is over.
   * @throws {ShaderloomError} GPU.lost
   */
  read(): Promise<BigUint64Array>;
  destroy(): void;
}

/** QUERY_RESOLVE | COPY_SRC as a number, because the global constants are missing in Node. */
const resolveUsage = 0x0200 | 0x0004;

/**
 * @param capacity  passes of a submit, at most 2048 (WebGPU allows 4096 queries)
 * @returns undefined without the feature
 */
export function createTimestamps(device: GPUDevice, ledger: BufferLedger, capacity: number): Timestamps | undefined {
  if (!device.features.has("timestamp-query")) return undefined;
  const querySet = device.createQuerySet({ label: "timestamps", type: "timestamp", count: capacity * 2 });
  const size = alignUp(capacity * 16, 256);
  const resolved = ledger.create("other", { label: "timestamps", size, usage: resolveUsage });
  const readback = ledger.create("other", { label: "timestamps", size, usage: readbackUsage });
  let bytes = 0;
  return {
    writes: (index) => ({ querySet, beginningOfPassWriteIndex: index * 2, endOfPassWriteIndex: index * 2 + 1 }),
    resolve(encoder, count) {
      bytes = count * 16;
      encoder.resolveQuerySet(querySet, 0, count * 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, readback, 0, bytes);
    },
    async read() {
      try {
        await readback.mapAsync(1, 0, bytes); // GPUMapMode.READ
      } catch (cause) {
        throw new ShaderloomError("GPU.lost", "The browser lost the GPU device. Load the model again.", { retryable: true, cause });
      }
      const stamps = new BigUint64Array(readback.getMappedRange(0, bytes).slice(0));
      readback.unmap();
      return stamps;
    },
    destroy() {
      querySet.destroy();
      ledger.destroy(resolved);
      ledger.destroy(readback);
    },
  };
}

/** Milliseconds of pass `index`; NaN where the driver's stamps make no sense. */
export function passMs(stamps: BigUint64Array, index: number): number {
  const [begin, end] = [stamps[index * 2], stamps[index * 2 + 1]];
  return end < begin ? Number.NaN : Number(end - begin) / 1e6;
}

/**
 * The step in which stamps count, in milliseconds: the greatest common divisor of what lies between them. Browsers round to about 100
 * microseconds, drivers count ticks of 1 to 100 nanoseconds.
 * @returns 0 when all stamps are the same, which tells nothing
 */
export function stampStep(stamps: BigUint64Array): number {
  let step = 0n;
  for (const stamp of stamps) {
    let [a, b] = [step, stamp > stamps[0] ? stamp - stamps[0] : stamps[0] - stamp];
    while (b > 0n) [a, b] = [b, a % b];
    step = a;
  }
  return Number(step) / 1e6;
}
