// What a load says of its kernels, as plain data for `stats()`.

import type { Contest, Dropped, How } from "./contest.ts";

export type { Dropped } from "./contest.ts";

/** `auto`: race once for each adapter, where the result can be kept. `race`: race whatever it costs. `off`: the defaults, checked. */
export type TuningMode = "auto" | "race" | "off";

/** What a tuner took, in milliseconds of the wall clock. */
export interface TuningTimes {
  /** Pipelines made, and the first dispatches of rivals. */
  compileMs: number;
  /** First dispatches of what runs, and comparing. */
  checkMs: number;
  /** Samples alone. */
  raceMs: number;
  clock: "timestamps" | "wall" | null;
  /** Pipelines that were compiled for races alone. */
  rivals: number;
}

/** What the calls of one class run. */
export interface ChosenKernel {
  readonly kernel: string;
  /** Program, attributes and most rows. */
  readonly class: string;
  readonly variant: string;
  /** Dispatches of the class in a step. */
  readonly calls: number;
  readonly how: How;
  /** Whether its results were compared with the reference on this adapter, in this load. */
  readonly checked: boolean;
  /** Milliseconds of one dispatch, where a race took them; of the default too. */
  readonly ms: number | null;
  readonly defaultMs: number | null;
}

/** `stats().kernels`. */
export interface KernelReport extends Readonly<TuningTimes> {
  readonly mode: TuningMode;
  readonly chosen: readonly ChosenKernel[];
  /** Variants that this adapter cannot be trusted with, and why. */
  readonly dropped: readonly Dropped[];
}

/** Of all classes of a model. */
export function describeKernels(contests: readonly Contest[], { mode, times }: { mode: TuningMode; times: TuningTimes }): KernelReport {
  return {
    mode,
    ...times,
    chosen: contests.map(({ cls, chosen, how, checked, measured }) => ({
      kernel: cls.kernel,
      class: cls.key,
      variant: chosen.key,
      calls: cls.calls.length,
      how,
      checked,
      ms: measured.get(chosen.key) ?? null,
      defaultMs: measured.get(cls.variants[0].key) ?? null,
    })),
    dropped: contests.flatMap(({ dropped }) => dropped),
  };
}
