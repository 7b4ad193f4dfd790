// The self-test and the race of one load: compiles what a model needs while its weights are read, checks every pipeline once they are
// there, races the products that are worth it, and says what runs. After `finish` nothing changes any more.

import { abortError, assert, throwIfAborted } from "../base/errors.ts";
import type { Caps } from "../gpu/caps.ts";
import type { BufferLedger } from "../gpu/buffers.ts";
import type { PipelineCache } from "../gpu/pipelines.ts";
import type { KernelCall, WeightRange } from "../graph/call.ts";
import type { Choose } from "../graph/program.ts";
import { classKey, type KernelClass } from "./classes.ts";
import { Contest, trialsOf } from "./contest.ts";
import { KeptRows } from "./kept_rows.ts";
import { describeKernels, type KernelReport, type TuningMode, type TuningTimes } from "./report.ts";
import type { SelfTest } from "./self_test.ts";
import type { TuneOptions, TuneReport } from "./tune.ts";
import type { Memory, Shelf } from "./memory.ts";
import type { WorthLimits } from "./worth.ts";

export interface TunerOptions {
  readonly device: GPUDevice;
  readonly caps: Caps;
  readonly ledger: BufferLedger;
  readonly pipelines: PipelineCache;
  readonly classes: readonly KernelClass[];
  readonly weights: (range: WeightRange) => GPUBufferBinding;
  readonly mode: TuningMode;
  readonly signal: AbortSignal;
  /** Opened unless tuning is off, closed by the tuner; undefined where nothing can be kept. */
  readonly openShelf: () => Promise<Shelf | undefined>;
  /** What deserves a race; `race` mode races everything. */
  readonly worth?: WorthLimits;
}

export class Tuner {
  readonly kept: KeptRows;
  readonly times: TuningTimes = { compileMs: 0, checkMs: 0, raceMs: 0, clock: null, rivals: 0 };
  readonly #options: TunerOptions;
  readonly #contests: ReadonlyMap<string, Contest>;
  /** Classes that are worth a race, the best first. */
  #worth: readonly Contest[] = [];
  #selfTest: SelfTest | undefined;
  #memory: Memory | undefined;
  #over = false;

  constructor(options: TunerOptions) {
    const { classes, pipelines } = options;
    this.#options = options;
    this.kept = new KeptRows(classes);
    this.#contests = new Map(classes.map((cls) => [cls.key, new Contest(cls, pipelines)]));
  }

  /**
   * Compiles what will run, then rivals until `weights` (the reading of the weights) is over.
   * @throws {ShaderloomError} GPU.selftest when no variant of a kernel compiles, AbortError
   * @throws when the script of the self-test cannot be fetched: nothing runs unchecked
   */
  async compile(weights: Promise<unknown>): Promise<void> {
    const start = performance.now();
    if (this.#options.mode !== "off") await this.#remember();
    await Promise.all([this.#openSelfTest(), ...[...this.#contests.values()].map((contest) => contest.compileChosen())]);
    throwIfAborted(this.#options.signal);
    this.times.compileMs = performance.now() - start;
    const racing = this.#racing();
    if (racing.length > 0) {
      const heats = await importHeats();
      this.times.rivals = (await heats?.compileRivals(racing, weights, this.#options.signal)) ?? 0;
    }
    this.times.compileMs = performance.now() - start;
  }

  /**
   * Checks what was chosen, races what is worth it. The weights are on the GPU.
   * @throws {ShaderloomError} GPU.selftest when no variant of a kernel is right, GPU.lost, AbortError
   */
  async finish(): Promise<KernelReport> {
    const start = performance.now();
    try {
      const contests = [...this.#contests.values()];
      // What was stored ran before; what stands in for a dropped default has to run.
      const untried = contests.filter(({ how }) => how !== "stored");
      await this.#memory?.attempt(untried.flatMap(({ cls, chosen }) => trialsOf(cls, chosen)));
      await this.#tested().checkAll(contests);
      await this.#memory?.settle();
      this.times.checkMs = performance.now() - start;
      const racing = this.#racing();
      if (racing.length > 0) await this.#race(racing);
      return describeKernels(contests, { mode: this.#options.mode, times: this.times });
    } catch (thrown) {
      // After an abort the device is destroyed, which says nothing of what ran.
      await this.#memory?.conclude(this.#options.signal.aborted ? abortError() : thrown);
      throw thrown;
    } finally {
      this.abandon();
    }
  }

  /** Lets go of everything, whatever is still under way. For loads that fail before `finish`. */
  abandon(): void {
    this.#over = true;
    this.#memory?.close();
    this.#memory = undefined;
    this.#selfTest?.bench.destroy();
  }

  /** The long sweep, after the load: changes nothing here, only what the next load finds. */
  async sweep(wish: Pick<TuneOptions, "signal" | "onProgress">): Promise<TuneReport> {
    const { device, caps, ledger, pipelines, classes, openShelf } = this.#options;
    const { bench } = this.#tested();
    const shared = { device, caps, ledger, pipelines, classes, openShelf, bench, kept: this.kept };
    try {
      const { sweep } = await import("./tune.ts");
      return await sweep({ ...shared, ...wish });
    } finally {
      bench.destroy();
    }
  }

  /** What the calls of a program run. */
  chooseFor(label: string): Choose {
    return async (call: KernelCall, target) => {
      const contest = this.#contests.get(classKey(call, target, label));
      if (!contest) throw new Error(`${call.name} is of no class`);
      return contest.chosen;
    };
  }

  /** Contests without a result yet, where results can be kept or are asked for. */
  #racing(): Contest[] {
    if (this.#memory === undefined || this.#memory.quiet) return [];
    return this.#worth.filter(({ how }) => how === "default");
  }

  async #openSelfTest(): Promise<void> {
    const { device, ledger, weights, signal } = this.#options;
    // A chunk of its own, fetched beside the weights.
    const selfTest = await import("./self_test.ts");
    this.#selfTest = new selfTest.SelfTest({ device, ledger, weights, kept: this.kept, signal });
  }

  #tested(): SelfTest {
    assert(this.#selfTest, "nothing was compiled");
    return this.#selfTest;
  }

  async #remember(): Promise<void> {
    const { mode, openShelf, caps, classes, worth } = this.#options;
    // GPU programs on CPU drivers are for tests: a pipeline takes seconds to compile there.
    if (mode === "auto" && caps.software && caps.deviceClass === "gpu") return;
    const shelf = await openShelf().catch(() => undefined);
    if (!shelf && mode === "auto") return;
    // A chunk of its own, like the races: most loads have nothing to race.
    const memory = await import("./memory.ts").catch(() => undefined);
    if (!memory || this.#over) return shelf?.close();
    this.#memory = await memory.openMemory(shelf);
    // The load may have failed meanwhile.
    if (this.#over) return this.abandon();
    for (const contest of this.#contests.values()) this.#memory.apply(contest, "choose");
    const { defaultWorth, worthRacing } = memory;
    const limits = mode === "race" ? { bytes: 0, macs: 0 } : (worth ?? defaultWorth);
    this.#worth = worthRacing(classes, limits).flatMap(({ cls, share }) => {
      const contest = this.#contests.get(cls.key);
      if (contest) contest.share = share;
      return contest ?? [];
    });
  }

  async #race(racing: readonly Contest[]): Promise<void> {
    const { device, ledger, caps, signal } = this.#options;
    const memory = this.#memory;
    if (!memory) return;
    const heats = await importHeats();
    const start = performance.now();
    const shared = { device, ledger, bench: this.#tested().bench, kept: this.kept, memory, caps, signal };
    const raced = await heats?.raceContests(racing, shared);
    if (!raced) return;
    this.times.clock = raced.clock;
    this.times.raceMs = raced.raceMs;
    // The rest went into the rivals' first dispatches, in which some drivers compile.
    this.times.compileMs += performance.now() - start - raced.raceMs;
  }
}

/** A race is worth no failed load: without its script there is none. */
function importHeats(): Promise<typeof import("./heats.ts") | undefined> {
  return import("./heats.ts").catch(() => undefined);
}
