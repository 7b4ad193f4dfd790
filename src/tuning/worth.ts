// Which classes deserve a race, by their share of a step's work: a race over what takes a hundredth of the time gains nothing.

import { isProduct, type KernelClass, productOf, workOf } from "./classes.ts";

/** What a race of a class is worth. */
export interface Worth {
  readonly cls: KernelClass;
  /** Of all the work that matters, from 0 to 1. */
  readonly share: number;
}

export interface WorthLimits {
  /** Bytes that all calls of a class stream in a step of one row at the least. */
  readonly bytes: number;
  /** Multiply-adds of all calls of a class in a step of many rows at the least. */
  readonly macs: number;
}

/** About a tenth of a millisecond of a fast GPU. */
export const defaultWorth: WorthLimits = { bytes: 8 << 20, macs: 1 << 29 };

/** Races stop when the classes that had one do this much of the work. */
const covered = 0.9;

/** Rows from which a step waits for multiply-adds rather than for memory. */
const manyRows = 8;

/** Importance of steps of one row, of those of most rows, and of all between together. */
const importance = { one: 0.6, most: 0.3, between: 0.1 };

/** Products with rivals, the most important first. */
export function worthRacing(classes: readonly KernelClass[], limits: WorthLimits): readonly Worth[] {
  const products = classes.filter((cls) => isProduct(cls));
  const tiers = [...new Set(products.map(({ target }) => target.maxRows))];
  const most = Math.max(...tiers);
  const found = tiers.flatMap((maxRows) => {
    const weight = maxRows === 1 ? importance.one : maxRows === most ? importance.most : importance.between / tiers.length;
    const tier = products.filter(({ target }) => target.maxRows === maxRows);
    return worthOfTier(tier, maxRows, limits).map(({ cls, share }) => ({ cls, share: share * weight }));
  });
  return found.toSorted((a, b) => b.share - a.share);
}

function worthOfTier(tier: readonly KernelClass[], maxRows: number, limits: WorthLimits): Worth[] {
  const many = maxRows > manyRows;
  const works = tier.map((cls) => ({ cls, work: (many ? workOf(cls).macs : workOf(cls).bytes) * cls.calls.length }));
  const total = works.reduce((sum, { work }) => sum + work, 0);
  let done = 0;
  const chosen: Worth[] = [];
  for (const { cls, work } of works.toSorted((a, b) => b.work - a.work)) {
    if (done >= covered * total || work < (many ? limits.macs : limits.bytes)) break;
    done += work;
    // Where products share a pipeline, one that runs its own is one more.
    if (cls.variants.length > 1 && !productOf(cls)?.shared) chosen.push({ cls, share: work / total });
  }
  return chosen;
}
