// Times GPU work by the wall clock: many repetitions in one submit, so that neither submitting nor a coarse clock shows. Works take
// turns, because whatever else the machine does comes and goes. Timestamp queries are coarser than this in browsers.

import { throwIfAborted } from "../base/errors.ts";

/** Encodes one repetition; `repetition` counts from 0, for works that rotate over several buffers. */
export type Work = (pass: GPUComputePassEncoder, repetition: number) => void;

export interface TimerOptions {
  readonly device: GPUDevice;
  readonly signal: AbortSignal | undefined;
  /** Throws what went wrong with the device in the meantime. */
  readonly check: () => void;
}

/** A timed submit lasts at least this long: a browser's clock ticks every 5 to 100 microseconds. */
const leastMs = 12;
const rounds = 5;
/** No round begins after this: slow adapters get fewer. */
const roundsMs = 900;
const mostRepetitions = 4096;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function submit({ device, signal, check }: TimerOptions, work: Work, repetitions: number): Promise<number> {
  throwIfAborted(signal);
  const start = performance.now();
  const encoder = device.createCommandEncoder({ label: "probe" });
  const pass = encoder.beginComputePass();
  for (let repetition = 0; repetition < repetitions; repetition++) work(pass, repetition);
  pass.end();
  device.queue.submit([encoder.finish()]);
  await device.queue.onSubmittedWorkDone();
  const ms = performance.now() - start;
  check();
  return ms;
}

/** Milliseconds from submitting nothing to hearing of its end; some browsers look only every 100. */
async function measureIdle(options: TimerOptions): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < 4; index++) times.push(await submit(options, () => undefined, 0));
  return Math.min(...times);
}

/** Repetitions that last long enough, found by growing. */
async function calibrate(options: TimerOptions, work: Work, wantedMs: number): Promise<number> {
  await submit(options, work, 1); // touches the memory
  let repetitions = 1;
  for (;;) {
    const ms = await submit(options, work, repetitions);
    if (ms >= wantedMs || repetitions >= mostRepetitions) return repetitions;
    repetitions = Math.min(mostRepetitions, repetitions * Math.min(32, Math.max(2, Math.ceil((wantedMs * 1.1) / Math.max(ms, 0.01)))));
  }
}

/**
 * Median milliseconds of one repetition of each work, without the time that a submit takes anyway. Not the best round: a machine whose speed
 * comes and goes would promise more than a long run gets.
 * @throws {ShaderloomError} AbortError, what `check` throws
 */
export async function timeWorks(options: TimerOptions, works: readonly Work[]): Promise<number[]> {
  const idleMs = await measureIdle(options);
  const wantedMs = Math.max(leastMs, 3 * idleMs);
  const repetitions: number[] = [];
  for (const work of works) repetitions.push(await calibrate(options, work, wantedMs));
  const times: number[][] = works.map(() => []);
  const startMs = performance.now();
  for (let round = 0; round < rounds && (round === 0 || performance.now() - startMs < roundsMs); round++) {
    for (const [index, work] of works.entries()) {
      const ms = await submit(options, work, repetitions[index]);
      times[index].push(Math.max(ms - idleMs, ms / 20) / repetitions[index]);
    }
  }
  return times.map((one) => median(one));
}
