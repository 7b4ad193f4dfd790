// The long sweep over a loaded model's products: every variant checked and timed, with what its work would take at the best rates of the
// sweep beside it. Changes nothing in the session that asked; what it finds runs from the next load on.

import { abortError, throwIfAborted } from "../base/errors.ts";
import type { PipelineCache } from "../gpu/pipelines.ts";
import { isProduct, type KernelClass, productOf, shapeOf } from "./classes.ts";
import { openClock } from "./clock.ts";
import { Contest, trialsOf } from "./contest.ts";
import { checkRivals, type Heats, raceCount, raceOne } from "./heats.ts";
import { checkCount } from "./product_check.ts";
import { openMemory, type Shelf } from "./memory.ts";
import type { Dropped } from "./report.ts";

/** How far `tune()` is, in classes. */
export interface TuneProgress {
  readonly done: number;
  readonly total: number;
  /** The class that is at work; empty at the end. */
  readonly class: string;
}

/** One variant of one class. */
export interface TunedVariant {
  readonly class: string;
  readonly variant: string;
  /** Rows of activations that were multiplied. */
  readonly rows: number;
  /** Milliseconds of one dispatch. */
  readonly ms: number;
  /** At the most bytes and multiply-adds a second that any variant of this sweep reached, whichever takes longer. */
  readonly predictedMs: number;
  readonly isDefault: boolean;
  /** Whether it will run from the next load on. */
  readonly chosen: boolean;
}

/** What `tune()` found; times on other adapters mean nothing. */
export interface TuneReport {
  readonly clock: "timestamps" | "wall";
  readonly totalMs: number;
  /** Whether the winners could be stored for the next load. */
  readonly stored: boolean;
  readonly variants: readonly TunedVariant[];
  readonly dropped: readonly Dropped[];
}

export interface TuneOptions extends Omit<Heats, "memory"> {
  readonly classes: readonly KernelClass[];
  readonly pipelines: PipelineCache;
  readonly openShelf: () => Promise<Shelf | undefined>;
  readonly onProgress?: ((progress: TuneProgress) => void) | undefined;
}

/** Time of one class; a dispatch that takes most of it is still timed thrice. */
const classMs = 1500;
const everyVariant = 64;

/** @throws {ShaderloomError} GPU.oom, GPU.lost, AbortError; the bench is the caller's to destroy */
export async function sweep(options: TuneOptions): Promise<TuneReport> {
  const { device, ledger, bench, classes, pipelines, openShelf, onProgress, signal } = options;
  const start = performance.now();
  const shelf = await openShelf().catch(() => undefined);
  const memory = await openMemory(shelf);
  const products = classes.filter((cls) => isProduct(cls) && !productOf(cls)?.shared);
  await bench.reserve(products.map((cls) => ({ cls, count: Math.max(raceCount(cls), checkCount(cls)) })));
  const clock = await openClock(device, ledger);
  try {
    const contests = products.map((cls) => new Contest(cls, pipelines));
    const wrong = new Set<string>();
    for (const [done, contest] of contests.entries()) {
      const { cls } = contest;
      throwIfAborted(signal);
      onProgress?.({ done, total: contests.length, class: cls.key });
      memory.apply(contest, "drop");
      if (!(await memory.attempt(cls.variants.flatMap((variant) => trialsOf(cls, variant))))) continue;
      await contest.compileChosen();
      const rivals = await checkRivals(contest, { ...options, memory }, { wrong, most: everyVariant });
      // A class without rivals is timed for the table.
      await raceOne(contest, rivals, { heats: { bench, memory, signal }, clock, budgetMs: classMs, alone: true });
      await memory.settle();
    }
    onProgress?.({ done: contests.length, total: contests.length, class: "" });
    const dropped = contests.flatMap((contest) => contest.dropped);
    return { clock: clock.kind, totalMs: performance.now() - start, stored: shelf?.mine ?? false, variants: tableOf(contests), dropped };
  } catch (thrown) {
    await memory.conclude(signal?.aborted ? abortError() : thrown);
    throw thrown;
  } finally {
    clock.destroy();
    memory.close();
  }
}

function tableOf(contests: readonly Contest[]): TunedVariant[] {
  const works = contests.map(({ cls }) => {
    const rows = raceCount(cls);
    const { bytes, macs } = cls.calls[0].visit((kernel, attributes) => kernel.work(attributes, shapeOf(cls, rows)));
    return { rows, bytes, macs };
  });
  let [bytesPerMs, macsPerMs] = [0, 0];
  for (const [index, { measured }] of contests.entries()) {
    for (const ms of measured.values()) {
      bytesPerMs = Math.max(bytesPerMs, works[index].bytes / ms);
      macsPerMs = Math.max(macsPerMs, works[index].macs / ms);
    }
  }
  return contests.flatMap(({ cls, chosen, measured }, index) => {
    const { rows, bytes, macs } = works[index];
    const predictedMs = Math.max(bytes / bytesPerMs, macs / macsPerMs);
    return [...measured].map(([variant, ms]) => ({
      class: cls.key,
      variant,
      rows,
      ms,
      predictedMs,
      isDefault: variant === cls.variants[0].key,
      chosen: variant === chosen.key,
    }));
  });
}
