// Times the dispatches of a step one by one: with GPU timestamps, each in a pass of its own, repeated until the stamps can tell it; or by
// the wall clock, equal dispatches together. Knows dispatches as things to encode; what they compute is thrown away.

import { throwIfAborted } from "../base/errors.ts";
import { clamp } from "../base/math.ts";
import type { BufferLedger } from "../gpu/buffers.ts";
import { createTimestamps, passMs, stampStep, type Timestamps } from "../gpu/timestamps.ts";
import { median, type TimerOptions, timeWorks, type Work } from "./probe_timer.ts";

/** A dispatch to be timed. */
export interface TimedDispatch {
  /** Encodes it so many times, the last time exactly as the step does. */
  readonly encode: (pass: GPUComputePassEncoder, repeats: number) => void;
  /** Dispatches of one class are the same work on other data. */
  readonly class: string;
  /** Moves the step's state on, so that what is encoded after it is another step. */
  readonly moves: boolean;
}

/** A step whose dispatches are timed in order, so that each finds the inputs that it has in a run. */
export interface TimedStep {
  readonly dispatches: readonly TimedDispatch[];
  /** Writes the step's state. */
  readonly prepare: () => void;
}

export interface StepTimes {
  /** Milliseconds of each dispatch. */
  readonly each: readonly number[];
  /** Of the whole step in one pass. */
  readonly totalMs: number;
}

/** Something that times steps on one device. */
export interface StepClock {
  readonly timestamps: boolean;
  /** The step in which it counts; known once something was timed. */
  readonly quantumMs: number;
  /** @throws {ShaderloomError} AbortError, GPU.lost, what `check` throws */
  time(step: TimedStep): Promise<StepTimes>;
  destroy(): void;
}

/** Steps of the clock that a timed pass takes at the least. */
const leastQuanta = 10;
/** Where a clock counts in nanoseconds: what begins and ends a pass is to be no part of its time. */
const leastMs = 0.2;
const mostRepeats = 4096;
const calibrations = 5;
const measurings = 3;
/** Passes of a submit, and their time as far as it is known: an abort takes effect between submits. */
const submitPasses = 64;
const firstPasses = 8;
const submitMs = 60;
/** Nothing is timed once more after this, by the wall clock: slow adapters have less need of it. */
const stepBudgetMs = 2500;
/** Whole steps that are timed: more of those that the stamps can hardly tell. */
const wholeSteps = { long: 5, short: 20 };

/** @returns the device's timestamps where they make sense, else the wall clock */
export async function openStepClock(options: TimerOptions, ledger: BufferLedger): Promise<StepClock> {
  const timestamps = createTimestamps(options.device, ledger, submitPasses);
  if (!timestamps) return wallStepClock(options);
  const clock = new StampedClock(options, timestamps);
  let works = false;
  try {
    works = await clock.works();
  } finally {
    if (!works) clock.destroy();
  }
  return works ? clock : wallStepClock(options);
}

type EncodePass = (pass: GPUComputePassEncoder) => void;

class StampedClock implements StepClock {
  readonly timestamps = true;
  readonly #options: TimerOptions;
  readonly #stamps: Timestamps;
  #quantumMs = 0;

  constructor(options: TimerOptions, stamps: Timestamps) {
    this.#options = options;
    this.#stamps = stamps;
  }

  get quantumMs(): number {
    return this.#quantumMs;
  }

  /** Some drivers offer the feature and give nothing or nonsense. */
  async works(): Promise<boolean> {
    const times = await this.#submit(Array.from({ length: firstPasses }, () => (): void => undefined));
    return times.every((ms) => ms >= 0 && ms < 1000);
  }

  async time(step: TimedStep): Promise<StepTimes> {
    const end = performance.now() + stepBudgetMs;
    const totalMs = await this.#timeWhole(step, end);
    let repeats = step.dispatches.map(() => 1);
    let passes = await this.#round(step, repeats, []);
    for (let index = 0; index < calibrations; index++) {
      const next = repeats.map((count, at) => this.#repeatsFor(passes[at], count));
      if (next.every((count, at) => count === repeats[at])) break;
      const known = passes.map((ms, at) => (ms / repeats[at]) * next[at]);
      repeats = next;
      passes = await this.#round(step, repeats, known);
    }
    const rounds = [passes];
    while (rounds.length < measurings && performance.now() < end) rounds.push(await this.#round(step, repeats, passes));
    return { totalMs, each: repeats.map((count, at) => median(rounds.map((round) => round[at])) / count) };
  }

  destroy(): void {
    this.#stamps.destroy();
  }

  get #leastMs(): number {
    return Math.max(leastMs, leastQuanta * this.#quantumMs);
  }

  /** More of what took less than the clock can tell. */
  #repeatsFor(ms: number, count: number): number {
    if (ms >= this.#leastMs) return count;
    const each = Math.max(ms, this.#quantumMs / 4, 1e-4) / count;
    return clamp(Math.ceil((this.#leastMs * 1.1) / each), count + 1, Math.min(mostRepeats, count * 32));
  }

  async #timeWhole({ prepare, dispatches }: TimedStep, end: number): Promise<number> {
    const once = async (): Promise<number> => {
      prepare();
      const [ms] = await this.#submit([(pass) => encodeAll(dispatches, pass)]);
      return ms;
    };
    await once(); // touches the memory
    const first = await once();
    const times = [first];
    const count = first >= this.#leastMs ? wholeSteps.long : wholeSteps.short;
    while (times.length < count && performance.now() < end) times.push(await once());
    // The median of what stamps round to is one of their steps; the mean lies between them.
    return count === wholeSteps.long ? median(times) : times.reduce((sum, ms) => sum + ms, 0) / times.length;
  }

  /**
   * Milliseconds of each dispatch's pass, in the order of the step.
   * @param known  about how long each pass takes; empty when nothing is known
   */
  async #round({ dispatches, prepare }: TimedStep, repeats: readonly number[], known: readonly number[]): Promise<number[]> {
    prepare();
    const times: number[] = [];
    while (times.length < dispatches.length) {
      const start = times.length;
      let end = start + 1;
      let ms = known[start] ?? 0;
      const most = start + (known.length > 0 ? submitPasses : firstPasses);
      while (end < Math.min(dispatches.length, most) && ms + (known[end] ?? 0) <= submitMs) ms += known[end++] ?? 0;
      const passes = dispatches.slice(start, end).map(
        ({ encode }, offset): EncodePass =>
          (pass) =>
            encode(pass, repeats[start + offset]),
      );
      times.push(...(await this.#submit(passes)));
    }
    return times;
  }

  /** Milliseconds of each pass of one submit. */
  async #submit(passes: readonly EncodePass[]): Promise<number[]> {
    const { device, signal, check } = this.#options;
    throwIfAborted(signal);
    const encoder = device.createCommandEncoder({ label: "profile" });
    for (const [index, encode] of passes.entries()) {
      const pass = encoder.beginComputePass({ timestampWrites: this.#stamps.writes(index) });
      encode(pass);
      pass.end();
    }
    this.#stamps.resolve(encoder, passes.length);
    device.queue.submit([encoder.finish()]);
    const stamps = await this.#stamps.read();
    check();
    const step = stampStep(stamps);
    if (step > 0) this.#quantumMs = this.#quantumMs === 0 ? step : Math.min(this.#quantumMs, step);
    return passes.map((_, index) => passMs(stamps, index));
  }
}

function encodeAll(dispatches: readonly TimedDispatch[], pass: GPUComputePassEncoder): void {
  for (const { encode } of dispatches) encode(pass, 1);
}

/** Equal dispatches of all layers are one work each, because every submit is waited for, which takes some browsers 100 ms. */
function wallStepClock(options: TimerOptions): StepClock {
  return {
    timestamps: false,
    quantumMs: wallTick(),
    async time({ dispatches, prepare }) {
      const still = dispatches.filter(({ moves }) => !moves);
      prepare();
      // First, so that the others find numbers that a step makes.
      const [stillMs] = await timeWorks(options, [(pass): void => encodeAll(still, pass)]);
      const byClass = await timeClasses(options, still);
      const moving = await timeClasses(
        options,
        dispatches.filter(({ moves }) => moves),
      );
      const each = dispatches.map((dispatch) => (dispatch.moves ? moving : byClass).get(dispatch.class) ?? 0);
      const movingMs = dispatches.reduce((sum, { moves }, index) => sum + (moves ? each[index] : 0), 0);
      return { totalMs: stillMs + movingMs, each };
    },
    destroy: () => undefined,
  };
}

/** Milliseconds of one dispatch of each class; repetitions rotate over its members. */
async function timeClasses(options: TimerOptions, dispatches: readonly TimedDispatch[]): Promise<ReadonlyMap<string, number>> {
  const classes = new Map<string, TimedDispatch[]>();
  for (const dispatch of dispatches) {
    const members = classes.get(dispatch.class);
    if (members) members.push(dispatch);
    else classes.set(dispatch.class, [dispatch]);
  }
  const works = [...classes.values()].map(
    (members): Work =>
      (pass, repetition) =>
        members[repetition % members.length].encode(pass, 1),
  );
  const times = await timeWorks(options, works);
  return new Map([...classes.keys()].map((name, index) => [name, times[index]]));
}

/** The step in which `performance.now` counts. */
function wallTick(): number {
  let least = Number.POSITIVE_INFINITY;
  const start = performance.now();
  let last = start;
  while (last - start < 2) {
    const now = performance.now();
    if (now > last) least = Math.min(least, now - last);
    last = now;
  }
  return least;
}
