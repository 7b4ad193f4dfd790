// What an adapter computes from registers: multiply-adds in f32, in f16 where there is, and of packed bytes. The measure of
// kernels that are not bound by memory; the kernel is the engine's own.

import { makePeakWorks, peaksOf } from "../src/engine/probe_peaks.ts";
import { WorkMaker } from "../src/engine/probe_works.ts";
import type { ComputePeaks } from "../src/engine/verdict.ts";
import type { Caps } from "../src/gpu/caps.ts";
import { timeWorks, type TimingOptions } from "./measure.ts";

/** Multiply-adds per second, in 1e9; each the best of a few shapes. */
export type Peaks = ComputePeaks;

export async function measurePeaks(device: GPUDevice, caps: Caps, options: TimingOptions = {}): Promise<Peaks> {
  const maker = new WorkMaker(device, { caps, deviceClass: caps.deviceClass, precision: "f32", maxRows: 1 });
  try {
    const works = await makePeakWorks(maker, caps);
    const times = await timeWorks(
      device,
      works.map(({ work }) => work),
      options,
    );
    return peaksOf(
      works,
      times.map((ms) => ms * 1e9),
    );
  } finally {
    maker.destroy();
  }
}
