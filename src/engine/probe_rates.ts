// From times of works to rates: what is left of a time when everything that a work takes however small it is was taken off.

import type { AdapterProbe } from "./verdict.ts";

/** A work that was timed, and how much it did. */
export interface TimedWork {
  /** Weights, multiply-adds or bytes. */
  readonly amount: number;
  readonly ms: number;
}

/**
 * `copy`, `dispatch`, `elements`, `attention decode`, `attention prefill`, `small decode`, `small prefill`, and for each format `decode q4_0`
 * and `prefill q4_0`; the small ones are of the first format.
 */
export type TimedWorks = ReadonlyMap<string, TimedWork>;

export interface RateOptions {
  readonly formats: readonly string[];
  /** On the CPU a large product is nearly all work; on a fast GPU it may be over as soon as it has begun. */
  readonly software: boolean;
}

export type Rates = Omit<AdapterProbe, "adapter" | "activations" | "readbackMs" | "latency" | "peaks" | "uploadBytes" | "tookMs">;

const none: TimedWork = { amount: 0, ms: 0 };

export function ratesOf(works: TimedWorks, { formats, software }: RateOptions): Rates {
  const work = (name: string): TimedWork => works.get(name) ?? none;
  // More is a disturbed measurement, which must not make the rest of the time look short.
  const mostStart = software ? 0.3 : 0.75;
  const rate = ({ amount, ms }: TimedWork, startMs: number): number => (amount * 1000) / (ms - Math.min(startMs, ms * mostStart));
  // A product is a dispatch and more.
  const dispatchMs = Math.min(work("dispatch").ms, work("small decode").ms || Number.POSITIVE_INFINITY);
  const startOf = (phase: "decode" | "prefill"): number => {
    const [first] = formats;
    if (first === undefined) return dispatchMs;
    const [large, small] = [work(`${phase} ${first}`), work(`small ${phase}`)];
    return Math.max(dispatchMs, Math.min(lineStart(large, small), large.ms * mostStart));
  };
  const productStartMs = { decode: startOf("decode"), prefill: startOf("prefill") };
  const byFormat = (phase: "decode" | "prefill"): Record<string, number> =>
    Object.fromEntries(formats.map((name) => [name, rate(work(`${phase} ${name}`), productStartMs[phase])]));
  return {
    copyBytes: rate(work("copy"), dispatchMs),
    elementBytes: rate(work("elements"), dispatchMs),
    decodeWeights: byFormat("decode"),
    prefillProducts: byFormat("prefill"),
    productStartMs,
    attentionProducts: { decode: rate(work("attention decode"), dispatchMs), prefill: rate(work("attention prefill"), dispatchMs) },
    dispatchMs,
  };
}

/** Where the line through two works meets no work at all. */
function lineStart(large: TimedWork, small: TimedWork): number {
  const slope = (large.ms - small.ms) / (large.amount - small.amount);
  return small.ms - Math.max(slope, 0) * small.amount;
}
