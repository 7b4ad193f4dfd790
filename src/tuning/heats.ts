// The races of a load: rivals compiled while weights are read, checked like what they challenge, and timed in the model's own weights until
// the time is up.

import { ShaderloomError, throwIfAborted } from "../base/errors.ts";
import { clamp } from "../base/math.ts";
import type { Caps } from "../gpu/caps.ts";
import type { BufferLedger } from "../gpu/buffers.ts";
import type { Variant } from "../kernels/kernel.ts";
import { type KernelClass, workOf } from "./classes.ts";
import { type Clock, openClock } from "./clock.ts";
import { type Contest, trialsOf } from "./contest.ts";
import type { KeptRows } from "./kept_rows.ts";
import type { Memory } from "./memory.ts";
import { checkCount, readyCheck } from "./product_check.ts";
import type { Compiled, ProductBench } from "./product_bench.ts";
import { medianOf, race } from "./race.ts";

/** Variants of a class in a race, the default among them. */
const mostRivals = 8;
/** Pipelines compiled for races in one load, by where shaders run: what finds no room races in a later load. */
const mostPipelines = { gpu: 24, cpu: 8 };
/** Rivals may be compiled this long after the weights are there. */
const graceMs = 1000;
/** Time of all races of a load, by where shaders run. */
const budgetMs = { gpu: 300, cpu: 2000 };
/** A dispatch on a CPU driver does no more multiply-adds than this, a tenth of a second or so. */
const softwareMacs = 5e8;

/** What may race in a class: what runs now, then the others. */
function rivalsOf(contest: Contest, most: number = mostRivals): readonly Variant[] {
  const others = contest.cls.variants.filter((variant) => variant !== contest.chosen && !contest.isDropped(variant));
  return [contest.chosen, ...others].slice(0, most);
}

/**
 * Compiles rivals, the most promising classes first.
 * @returns how many
 */
export async function compileRivals(contests: readonly Contest[], weights: Promise<unknown>, signal: AbortSignal): Promise<number> {
  let overAt = Number.POSITIVE_INFINITY;
  const over = (): void => {
    overAt = performance.now();
  };
  void weights.then(over, over);
  let count = 0;
  for (const contest of contests) {
    const most = contest.cls.target.caps.software ? mostPipelines.cpu : mostPipelines.gpu;
    const rivals = rivalsOf(contest).slice(1);
    // A class races whole or not at all: what won over some rivals would be remembered as if it had met all.
    if (count + rivals.length > most || performance.now() > overAt + graceMs) break;
    throwIfAborted(signal);
    // All may have been dropped before.
    if (rivals.length === 0) continue;
    await Promise.all(rivals.map((variant) => contest.compile(variant)));
    count += rivals.length;
    contest.entered = true;
  }
  return count;
}

export interface Heats {
  readonly device: GPUDevice;
  readonly caps: Caps;
  readonly ledger: BufferLedger;
  readonly bench: ProductBench;
  readonly kept: KeptRows;
  readonly memory: Memory;
  readonly signal: AbortSignal | undefined;
}

/**
 * Races classes whose rivals are compiled, and remembers who won.
 * @returns the kind of clock and what was spent with it; undefined when nothing raced
 * @throws {ShaderloomError} GPU.lost, AbortError
 */
export async function raceContests(
  contests: readonly Contest[],
  heats: Heats,
): Promise<{ readonly clock: Clock["kind"]; readonly raceMs: number } | undefined> {
  const { device, caps, ledger, bench, memory, signal } = heats;
  const entered = contests.filter((contest) => contest.entered);
  if (entered.length === 0) return undefined;
  // Nothing that may lose the device runs before that is written down.
  const trials = entered.flatMap((contest) => rivalsOf(contest).flatMap((variant) => trialsOf(contest.cls, variant)));
  if (!(await memory.attempt(trials))) return undefined;
  let clock: Clock | undefined;
  try {
    await bench.reserve(entered.map(({ cls }) => ({ cls, count: Math.max(raceCount(cls), checkCount(cls)) })));
    const ready = new Map<Contest, readonly Compiled[]>();
    const wrong = new Set<string>();
    for (const contest of entered) ready.set(contest, await checkRivals(contest, heats, { wrong }));
    clock = await openClock(device, ledger);
    const start = performance.now();
    const end = start + (caps.software ? budgetMs.cpu : budgetMs.gpu);
    for (const [index, contest] of entered.entries()) {
      throwIfAborted(signal);
      const left = end - performance.now();
      if (left <= 0) break;
      const shares = entered.slice(index).reduce((sum, { share }) => sum + share, 0);
      // Whoever needs less than its part leaves more to the others.
      await raceOne(contest, ready.get(contest) ?? [], { heats, clock, budgetMs: (left * contest.share) / shares });
    }
    const raceMs = performance.now() - start;
    await memory.settle();
    return { clock: clock.kind, raceMs };
  } catch (thrown) {
    // Without room for a race there is none.
    if (!(thrown instanceof ShaderloomError) || thrown.code !== "GPU.oom") throw thrown;
    await memory.settle();
    return undefined;
  } finally {
    clock?.destroy();
  }
}

/** The first is what runs now, which was checked before; a variant that was wrong once is not tried again. */
export async function checkRivals(
  contest: Contest,
  { bench, kept, signal }: Heats,
  { wrong, most }: { readonly wrong: Set<string>; readonly most?: number },
): Promise<readonly Compiled[]> {
  const { cls } = contest;
  const right: Compiled[] = [];
  // A load takes what was compiled beside the weights; only a sweep waits for more.
  const rivals = most === undefined ? rivalsOf(contest).filter((variant) => contest.isCompiling(variant)) : rivalsOf(contest, most);
  for (const variant of rivals) {
    throwIfAborted(signal);
    if (wrong.has(variant.key)) contest.drop(variant, "its results were wrong in another class");
    const compiled = contest.isDropped(variant) ? undefined : await contest.compile(variant);
    if (!compiled) continue;
    if (variant !== contest.chosen) {
      const verdict = await readyCheck(bench, cls, kept).run(compiled);
      if (verdict.kind === "wrong") {
        wrong.add(variant.key);
        contest.drop(variant, verdict.reason);
      }
      if (verdict.kind !== "right") continue;
    }
    right.push(compiled);
  }
  return right;
}

interface OneRace {
  readonly heats: Pick<Heats, "bench" | "memory" | "signal">;
  readonly clock: Clock;
  readonly budgetMs: number;
  /** Whether a class with nothing to race is timed. */
  readonly alone?: boolean;
}

export async function raceOne(
  contest: Contest,
  rivals: readonly Compiled[],
  { heats, clock, budgetMs: budget, alone }: OneRace,
): Promise<void> {
  const { cls } = contest;
  const { bench, memory, signal } = heats;
  // Where there is nothing to win the default runs on, and no later load tries again; without room for a check one does.
  const keepDefault = (): void => memory.remember(cls, { variant: contest.chosen.key, ms: 0, defaultMs: 0 });
  if (rivals.length < (alone ? 1 : 2)) {
    if (cls.variants.every((variant) => variant === contest.chosen || contest.isDropped(variant))) keepDefault();
    return;
  }
  const count = raceCount(cls);
  bench.fill(cls, count);
  const bound = rivals.map((compiled) => ({ compiled, groups: bench.bind(cls, compiled) }));
  const sample = (active: readonly number[], repeats: number): Promise<readonly number[]> =>
    clock.time(active.map((rival) => (pass: GPUComputePassEncoder) => bench.encode(pass, cls, { ...bound[rival], count, repeats })));
  const result = await race(sample, rivals.length, { budgetMs: budget, sampleMs: clock.sampleMs, signal });
  if (!result) return keepDefault();
  for (const [index, times] of result.times.entries()) {
    if (times.length > 0) contest.measured.set(rivals[index].variant.key, medianOf(times));
  }
  const winner = rivals[result.winner].variant;
  contest.choose(winner, "raced");
  const timeOf = (variant: Variant): number => contest.measured.get(variant.key) ?? 0;
  memory.remember(cls, { variant: winner.key, ms: timeOf(winner), defaultMs: timeOf(rivals[0].variant) });
}

/** Rows of a race: a whole tier, unless a dispatch would take too long. */
export function raceCount(cls: KernelClass): number {
  const { maxRows, caps } = cls.target;
  if (!caps.software) return maxRows;
  return clamp(Math.floor((softwareMacs * maxRows) / Math.max(1, workOf(cls).macs)), 1, maxRows);
}
