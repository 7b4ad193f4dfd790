// Which classes deserve a race, by their share of a step's work: a race over what takes a hundredth of the time gains nothing.

import { isProduct, type KernelClass, workOf } from "./classes.ts";

/** What a class is worth; 0: no race. */
export interface Worth {
  readonly cls: KernelClass;
  /** Share of the work of its kind of step, from 0 to 1. */
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

/** Products with rivals, most work first; single rows before many, as most steps have one. */
export function worthRacing(classes: readonly KernelClass[], limits: WorthLimits): readonly Worth[] {
  const products = classes.filter((cls) => isProduct(cls));
  const tiers = [...new Set(products.map(({ target }) => target.maxRows))].toSorted((a, b) => a - b);
  return tiers.flatMap((maxRows) => {
    const many = maxRows > manyRows;
    const works = products
      .filter(({ target }) => target.maxRows === maxRows)
      .map((cls) => ({ cls, work: (many ? workOf(cls).macs : workOf(cls).bytes) * cls.calls.length }));
    const total = works.reduce((sum, { work }) => sum + work, 0);
    const least = many ? limits.macs : limits.bytes;
    let done = 0;
    const chosen: Worth[] = [];
    for (const { cls, work } of works.toSorted((a, b) => b.work - a.work)) {
      if (done >= covered * total || work < least) break;
      done += work;
      if (cls.variants.length > 1) chosen.push({ cls, share: work / total });
    }
    return chosen;
  });
}
