// Times rivals of one class against each other and says which one wins. Knows nothing of GPUs: a sample is whatever the clock gives.

import { throwIfAborted } from "../base/errors.ts";
import { clamp } from "../base/math.ts";

/** Milliseconds that `repeats` dispatches of each of these rivals took, one after another. */
export type Sample = (rivals: readonly number[], repeats: number) => Promise<readonly number[]>;

export interface RaceOptions {
  /** Milliseconds that the whole race may take. */
  readonly budgetMs: number;
  /** How long a sample should be for the clock to tell it. */
  readonly sampleMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Times of one dispatch, by rival; rivals that fell behind have fewer. The first is the default. */
export interface RaceResult {
  readonly winner: number;
  readonly times: readonly (readonly number[])[];
}

const mostRounds = 7;
/** A median of fewer is no median. */
const fewestRounds = 3;
const mostRepeats = 1024;
/** Of a wanted sample: below it a clock's ticks decide. */
const shortSample = 0.6;
/** After two rounds whoever is this much slower than the best is out. */
const behind = 1.25;
/** What a rival has to be faster by at the least: a lead of 3 % was seen to be a loss of 9 % a minute later. */
const leastGain = 0.08;

/**
 * Races rivals 0 to `count - 1`, 0 being the default.
 * @returns undefined when the default alone is too slow for the budget
 * @throws {ShaderloomError} AbortError, what `sample` throws
 */
export async function race(sample: Sample, count: number, options: RaceOptions): Promise<RaceResult | undefined> {
  const { budgetMs, sampleMs, signal } = options;
  const end = performance.now() + budgetMs;
  const alone = await calibrate(sample, sampleMs, { signal, end });
  const left = end - performance.now();
  // Three rounds of samples that the clock can tell have to fit, of fewer rivals when there is little time: the last ones stay out.
  const shortest = Math.ceil((sampleMs * shortSample) / alone);
  const affordable = Math.floor(left / (alone * shortest * fewestRounds));
  if (affordable < Math.min(count, 2)) return undefined;
  const entered = Math.min(count, affordable);
  const longest = Math.floor((shortest * affordable) / entered);
  const repeats = clamp(Math.ceil(sampleMs / alone), shortest, Math.max(shortest, Math.min(mostRepeats, longest)));
  const times: number[][] = Array.from({ length: count }, () => []);
  let active = Array.from({ length: entered }, (_, rival) => rival);
  for (let round = 0; round < mostRounds && (active.length > 1 || round < fewestRounds); round++) {
    if (round >= fewestRounds && performance.now() >= end) break;
    throwIfAborted(signal);
    const taken = await sample(active, repeats);
    for (const [index, rival] of active.entries()) times[rival].push(taken[index] / repeats);
    if (round === 0) continue;
    const best = Math.min(...active.map((rival) => Math.min(...times[rival])));
    active = active.filter((rival) => rival === 0 || Math.min(...times[rival]) <= best * behind);
  }
  return { winner: decide(times), times };
}

/** Two samples agree within this: one may be slow by itself, as the first after a pause is, when clocks have gone down. */
const agreement = 1.5;
/** A sample so many times as long as wanted is believed alone. */
const longSample = 8;

/** Milliseconds of one dispatch of the default, from enough of them for the clock. */
async function calibrate(
  sample: Sample,
  sampleMs: number,
  { signal, end }: { readonly signal: AbortSignal | undefined; readonly end: number },
): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let repeats = 1; ;) {
    throwIfAborted(signal);
    const [ms] = await sample([0], repeats);
    const each = Math.max(ms, 1e-4) / repeats;
    const agrees = each <= least * agreement && each * agreement >= least;
    least = Math.min(least, each);
    const long = ms >= sampleMs / 2 || repeats >= mostRepeats;
    if ((long && agrees) || ms >= longSample * sampleMs || performance.now() >= end) return least;
    if (long) continue;
    repeats = Math.min(mostRepeats, clamp(Math.ceil(sampleMs / each), repeats * 2, repeats * 16));
  }
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Half of what lies between the quartiles. */
function noiseOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))];
  return (at(0.75) - at(0.25)) / 2;
}

/** The fastest whose lead over the default is more than noise; else the default, 0. Whoever fell behind is out. */
export function decide(times: readonly (readonly number[])[]): number {
  const standard = times[0];
  if (standard.length < fewestRounds) return 0;
  let winner = 0;
  for (const [rival, own] of times.entries()) {
    if (own.length < standard.length || medianOf(own) >= medianOf(times[winner])) continue;
    const lead = medianOf(standard) - medianOf(own);
    if (lead > Math.max(leastGain * medianOf(standard), noiseOf(own) + noiseOf(standard))) winner = rival;
  }
  return winner;
}
