// How long encoded work takes on the GPU: by timestamps where the device has them, else by the wall clock with the time of an empty submit
// taken off. Owns its queries.

import { alignUp } from "../base/math.ts";
import { type BufferLedger, readbackUsage } from "../gpu/buffers.ts";
import { lost } from "./execute.ts";

export type Encode = (pass: GPUComputePassEncoder) => void;

export interface Clock {
  readonly kind: "timestamps" | "wall";
  /** A sample should take this long. */
  readonly sampleMs: number;
  /** Milliseconds of each work, in one submit where that can be told apart. */
  time(works: readonly Encode[]): Promise<readonly number[]>;
  destroy(): void;
}

/** Browsers round timestamps to 100 microseconds. */
const timestampSampleMs = 2.5;
const wallSampleMs = 4;
/** A wall-clock sample against the time of an empty submit. */
const wallShare = 10;
const mostWorks = 16;

/** @throws {ShaderloomError} GPU.lost */
export async function openClock(device: GPUDevice, ledger: BufferLedger): Promise<Clock> {
  if (device.features.has("timestamp-query")) {
    const clock = timestampClock(device, ledger);
    const [ms] = await clock.time([(): void => undefined]);
    // Some drivers offer the feature and give nothing or nonsense.
    if (Number.isFinite(ms) && ms >= 0 && ms < 1000) return clock;
    clock.destroy();
  }
  return wallClock(device);
}

function timestampClock(device: GPUDevice, ledger: BufferLedger): Clock {
  const querySet = device.createQuerySet({ label: "race", type: "timestamp", count: mostWorks * 2 });
  const size = alignUp(mostWorks * 16, 256);
  const resolved = ledger.create("other", { label: "race", size, usage: 0x0200 | 0x0004 }); // QUERY_RESOLVE | COPY_SRC
  const readback = ledger.create("other", { label: "race", size, usage: readbackUsage });
  return {
    kind: "timestamps",
    sampleMs: timestampSampleMs,
    async time(works) {
      const encoder = device.createCommandEncoder({ label: "race" });
      for (const [index, work] of works.entries()) {
        const timestampWrites = { querySet, beginningOfPassWriteIndex: index * 2, endOfPassWriteIndex: index * 2 + 1 };
        const pass = encoder.beginComputePass({ timestampWrites });
        work(pass);
        pass.end();
      }
      encoder.resolveQuerySet(querySet, 0, works.length * 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, readback, 0, works.length * 16);
      device.queue.submit([encoder.finish()]);
      await readback.mapAsync(1).catch(lost); // GPUMapMode.READ
      const stamps = new BigUint64Array(readback.getMappedRange().slice(0));
      readback.unmap();
      return works.map((_, index) => Number(stamps[index * 2 + 1] - stamps[index * 2]) / 1e6);
    },
    destroy() {
      querySet.destroy();
      ledger.destroy(resolved);
      ledger.destroy(readback);
    },
  };
}

async function wallClock(device: GPUDevice): Promise<Clock> {
  const submit = async (work: Encode | undefined): Promise<number> => {
    const start = performance.now();
    const encoder = device.createCommandEncoder({ label: "race" });
    const pass = encoder.beginComputePass();
    work?.(pass);
    pass.end();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  const idle: number[] = [];
  for (let index = 0; index < 3; index++) idle.push(await submit(undefined));
  const idleMs = Math.min(...idle);
  return {
    kind: "wall",
    sampleMs: Math.max(wallSampleMs, wallShare * idleMs),
    async time(works) {
      const times: number[] = [];
      for (const work of works) {
        const ms = await submit(work);
        times.push(Math.max(ms - idleMs, ms / 20));
      }
      return times;
    },
    destroy: () => undefined,
  };
}
