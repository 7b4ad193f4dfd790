// How long encoded work takes on the GPU: by timestamps where the device has them, else by the wall clock with the time of an empty submit
// taken off. Owns its queries.

import type { BufferLedger } from "../gpu/buffers.ts";
import { createTimestamps, passMs, type Timestamps } from "../gpu/timestamps.ts";

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
  const timestamps = createTimestamps(device, ledger, mostWorks);
  if (timestamps) {
    const clock = timestampClock(device, timestamps);
    const [ms] = await clock.time([(): void => undefined]);
    // Some drivers offer the feature and give nothing or nonsense.
    if (Number.isFinite(ms) && ms < 1000) return clock;
    clock.destroy();
  }
  return wallClock(device);
}

function timestampClock(device: GPUDevice, timestamps: Timestamps): Clock {
  return {
    kind: "timestamps",
    sampleMs: timestampSampleMs,
    async time(works) {
      const encoder = device.createCommandEncoder({ label: "race" });
      for (const [index, work] of works.entries()) {
        const pass = encoder.beginComputePass({ timestampWrites: timestamps.writes(index) });
        work(pass);
        pass.end();
      }
      timestamps.resolve(encoder, works.length);
      device.queue.submit([encoder.finish()]);
      const stamps = await timestamps.read();
      return works.map((_, index) => passMs(stamps, index));
    },
    destroy: () => timestamps.destroy(),
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
