// How prompts are cut so that the GPU is never kept long: rows of a chunk, dispatches of a submit. Learns what each kernel's work takes from when
// submits end. Only decides; prefill.ts submits.

import { clamp } from "../base/math.ts";

/** Half a frame at 60 Hz. */
export const defaultFrameBudgetMs = 8;

/** Work of one dispatch. */
export interface Load {
  readonly kernel: string;
  /** Multiply-adds, and bytes as a few each. */
  readonly units: number;
}

/** Multiply-adds that take as long as moving a byte, about: between 2 on software adapters and 30 on large GPUs. */
const unitsPerByte = 8;
/** What starting a dispatch costs, in units. */
const unitsPerDispatch = 50_000;

export function loadOf(kernel: string, { bytes, macs }: { readonly bytes: number; readonly macs: number }): Load {
  return { kernel, units: macs + unitsPerByte * bytes + unitsPerDispatch };
}

/** A submit that ended. */
export interface SubmitTimes {
  readonly submittedMs: number;
  readonly doneMs: number;
}

/** Rows that chunks may have, most first; fewer would read all weights for too little. */
const chunkSizes: readonly number[] = [256, 128, 64, 32];
/** Rows to begin with, before anything was measured. */
const firstRows = 64;
/** A small GPU's: a first guess too slow costs more submits, one too fast a long first submit. */
const firstMsPerUnit = 1e-8;
/** Submits told of within this are told of together. */
const sameMomentMs = 0.2;
/** Most submits outstanding, however late a browser tells. */
const mostOutstanding = 32;

/** Owns what a session learnt about its prefill. */
export class PrefillPace {
  readonly budgetMs: number;
  #msPerUnit = firstMsPerUnit;
  /** How much slower a kernel is than the rest. */
  readonly #slowness = new Map<string, number>();
  #measured = false;
  #latencyMs = 0;
  #lastDoneMs = 0;
  /** When the first submit after a pause was told of, where that is late: it says nothing of how long the submit took. */
  #resumedMs = 0;
  /** Since the last lesson: expected and measured times, and what of the former was whose. */
  #expectedMs = 0;
  #busyMs = 0;
  #shares = new Map<string, number>();
  #count = 0;
  #longestMs = 0;

  /** @param budgetMs  0 cuts nothing */
  constructor(budgetMs: number = defaultFrameBudgetMs) {
    this.budgetMs = budgetMs;
  }

  /** Submits so far, and the longest of them. */
  get submits(): { readonly count: number; readonly longestMs: number } {
    return { count: this.#count, longestMs: this.#longestMs };
  }

  /**
   * Whether another submit may follow those outstanding: two at once, and where the browser tells late as many as the GPU ends meanwhile, twice
   * over, because a GPU that waits for us looks slower than it is.
   */
  mayFollow(outstanding: readonly (readonly Load[])[]): boolean {
    if (outstanding.length < 2) return true;
    if (!this.#late || outstanding.length >= mostOutstanding) return false;
    const aheadMs = outstanding.reduce((sum, loads) => loads.reduce((ms, load) => ms + this.expectedMs(load), sum), 0);
    return aheadMs < 2 * this.#latencyMs;
  }

  /** An empty submit was told of after this time. */
  heardAfter(latencyMs: number): void {
    this.#latencyMs = Math.max(this.#latencyMs, latencyMs);
  }

  expectedMs({ kernel, units }: Load): number {
    return units * this.#msPerUnit * (this.#slowness.get(kernel) ?? 1);
  }

  /**
   * Rows of the next chunk: the most whose longest dispatch is within the budget, and else the fewest.
   * @param most     rows that may be taken
   * @param loadsOf  dispatches of a chunk of so many rows
   */
  rows(most: number, loadsOf: (rows: number) => readonly Load[]): number {
    if (this.budgetMs === 0) return most;
    if (!this.#measured) return Math.min(most, firstRows);
    const sizes = [most, ...chunkSizes.filter((size) => size < most)];
    const fits = (rows: number): boolean => loadsOf(rows).every((load) => this.expectedMs(load) <= this.budgetMs);
    return sizes.find(fits) ?? sizes[sizes.length - 1];
  }

  /** One past the last dispatch of the submit that begins at `start`: at least one, more while they fit the budget together. */
  cut(loads: readonly Load[], start: number): number {
    if (this.budgetMs === 0) return loads.length;
    let end = start + 1;
    let sum = this.expectedMs(loads[start]);
    while (end < loads.length && sum + this.expectedMs(loads[end]) <= this.budgetMs) sum += this.expectedMs(loads[end++]);
    return end;
  }

  /** Learns from a submit; they end in the order in which they were submitted. */
  ended(loads: readonly Load[], { submittedMs, doneMs }: SubmitTimes): void {
    this.#count++;
    const before = this.#lastDoneMs;
    // A timer tells of several submits at once, and only of all together how long they took.
    if (doneMs > before + sameMomentMs) this.#learn();
    this.#lastDoneMs = doneMs;
    const late = this.#late;
    if (late && submittedMs >= before) this.#resumedMs = doneMs;
    if (late && doneMs <= this.#resumedMs + sameMomentMs) return;
    const busyMs = Math.max(0, doneMs - Math.max(submittedMs + (late ? 0 : this.#latencyMs), before));
    this.#busyMs += busyMs;
    this.#longestMs = Math.max(this.#longestMs, busyMs);
    for (const load of loads) {
      const ms = this.expectedMs(load);
      this.#expectedMs += ms;
      this.#shares.set(load.kernel, (this.#shares.get(load.kernel) ?? 0) + ms);
    }
  }

  get #late(): boolean {
    return this.budgetMs > 0 && this.#latencyMs > this.budgetMs;
  }

  #learn(): void {
    const expectedMs = this.#expectedMs;
    if (expectedMs === 0 || Math.max(this.#busyMs, expectedMs) < this.budgetMs) return;
    const ratio = clamp(this.#busyMs / expectedMs, 1 / 16, 64);
    if (this.#measured) {
      this.#msPerUnit *= ratio ** 0.5;
      for (const [kernel, ms] of this.#shares) {
        this.#slowness.set(kernel, (this.#slowness.get(kernel) ?? 1) * ratio ** ((0.5 * ms) / expectedMs));
      }
    } else this.#msPerUnit *= ratio;
    this.#measured = true;
    this.#expectedMs = 0;
    this.#busyMs = 0;
    this.#shares = new Map();
  }
}
