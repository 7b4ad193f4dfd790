// Wall-clock times of GPU work: many repetitions in one submit, so that neither submitting nor a coarse clock shows; works that
// are compared take turns.

import { median } from "./statistics.ts";

/** Encodes one repetition; `repetition` counts from 0, for works that rotate over several buffers. */
export type Work = (pass: GPUComputePassEncoder, repetition: number) => void;

export interface TimingOptions {
  /** A timed submit lasts at least this long. */
  readonly leastMs?: number;
  /** Timed submits of each work, after one that is dropped. */
  readonly rounds?: number;
  /** Milliseconds since some moment; default the wall clock. */
  readonly clock?: (() => number) | undefined;
}

interface Bench {
  readonly device: GPUDevice;
  readonly clock: () => number;
}

function wallClock(): number {
  return performance.now();
}

async function submit({ device, clock }: Bench, work: Work, repetitions: number): Promise<number> {
  const start = clock();
  const encoder = device.createCommandEncoder({ label: "bench" });
  const pass = encoder.beginComputePass();
  for (let repetition = 0; repetition < repetitions; repetition++) work(pass, repetition);
  pass.end();
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  return clock() - start;
}

/** Repetitions that last `leastMs`, found by doubling. */
async function calibrate(bench: Bench, work: Work, leastMs: number): Promise<number> {
  await submit(bench, work, 1); // compiles and touches the memory
  let repetitions = 1;
  for (;;) {
    const ms = await submit(bench, work, repetitions);
    if (ms >= leastMs || repetitions >= 16384) return repetitions;
    const factor = ms > 0 ? Math.ceil((leastMs * 1.1) / ms) : 16;
    repetitions *= Math.min(16, Math.max(2, factor));
  }
}

/** Milliseconds from submitting nothing to hearing of its end. */
async function measureIdle(bench: Bench): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < 5; index++) times.push(await submit(bench, () => undefined, 0));
  return median(times);
}

/**
 * Milliseconds of one repetition of each work in each round, without what a submit takes anyway; the works take turns, and the
 * first round is dropped.
 */
export async function timeRounds(device: GPUDevice, works: readonly Work[], options: TimingOptions = {}): Promise<number[][]> {
  const { leastMs = 100, rounds = 5, clock = wallClock } = options;
  const bench = { device, clock };
  const idleMs = await measureIdle(bench);
  const repetitions: number[] = [];
  for (const work of works) repetitions.push(await calibrate(bench, work, leastMs));
  const times: number[][] = works.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, work] of works.entries()) {
      const ms = await submit(bench, work, repetitions[index]);
      if (round > 0) times[index].push(Math.max(ms - idleMs, ms / 2) / repetitions[index]);
    }
  }
  return times;
}

/** Medians of `timeRounds`. */
export async function timeWorks(device: GPUDevice, works: readonly Work[], options: TimingOptions = {}): Promise<number[]> {
  return (await timeRounds(device, works, options)).map((one) => median(one));
}
