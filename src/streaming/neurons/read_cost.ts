// What a read costs: a fixed time and a time for each byte, measured; and which reads are cheapest for some records of a file. Pure, but for
// the reads that are timed.

import { assert } from "../../base/errors.ts";

/** Milliseconds of a read of `bytes`: fixedMs + bytes / bytesPerMs. */
export interface ReadCost {
  readonly fixedMs: number;
  readonly bytesPerMs: number;
}

export interface TimedRead {
  readonly bytes: number;
  readonly ms: number;
}

export function readMs({ fixedMs, bytesPerMs }: ReadCost, bytes: number): number {
  return fixedMs + bytes / bytesPerMs;
}

/** The line through measured reads of different sizes whose squared relative errors are least; never a negative time. */
export function fitReadCost(reads: readonly TimedRead[]): ReadCost {
  const sizes = new Set(reads.map(({ bytes }) => bytes));
  assert(sizes.size >= 2, "a line takes reads of two sizes");
  // Of `one / ms` and `bytes / ms` against 1: normal equations.
  let [oneOne, oneBytes, bytesBytes, one, byte] = [0, 0, 0, 0, 0];
  for (const { bytes, ms } of reads) {
    const weight = 1 / Math.max(ms, 1e-6);
    oneOne += weight * weight;
    oneBytes += weight * weight * bytes;
    bytesBytes += (weight * bytes) ** 2;
    one += weight;
    byte += weight * bytes;
  }
  const determinant = oneOne * bytesBytes - oneBytes * oneBytes;
  const fixedMs = (one * bytesBytes - byte * oneBytes) / determinant;
  const perByte = (oneOne * byte - oneBytes * one) / determinant;
  if (fixedMs < 0) return { fixedMs: 0, bytesPerMs: bytesBytes / byte };
  if (!(perByte > 0)) return { fixedMs: one / oneOne, bytesPerMs: Number.MAX_VALUE };
  return { fixedMs, bytesPerMs: 1 / perByte };
}

/** Times reads of several sizes, `rounds` of each, of which the fastest counts: others were disturbed. */
export async function measureReadCost(
  read: (bytes: number) => Promise<void>,
  { sizes, rounds, now }: { readonly sizes: readonly number[]; readonly rounds: number; readonly now: () => number },
): Promise<ReadCost> {
  const reads: TimedRead[] = [];
  for (const bytes of sizes) {
    let ms = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round++) {
      const start = now();
      await read(bytes);
      ms = Math.min(ms, now() - start);
    }
    reads.push({ bytes, ms });
  }
  return fitReadCost(reads);
}

/** Records of a file from one on. */
export interface RecordRun {
  readonly first: number;
  readonly count: number;
}

/**
 * The cheapest reads that bring all of `wanted`: neighbours are one read, and so are those whose gap takes less time to read than another
 * read's fixed cost. Gaps do not depend on each other, so looking at each by itself is optimal.
 * @param wanted  ascending, each once
 */
export function planReads(
  wanted: readonly number[],
  { recordBytes, cost, maxBytes }: { readonly recordBytes: number; readonly cost: ReadCost; readonly maxBytes: number },
): RecordRun[] {
  const mostGap = (cost.fixedMs * cost.bytesPerMs) / recordBytes;
  const mostRecords = Math.max(1, Math.floor(maxBytes / recordBytes));
  const runs: { first: number; count: number }[] = [];
  for (const record of wanted) {
    const run = runs.at(-1);
    const end = run ? run.first + run.count : 0;
    if (run && record - end <= mostGap && record + 1 - run.first <= mostRecords) run.count = record + 1 - run.first;
    else runs.push({ first: record, count: 1 });
  }
  return runs;
}

/**
 * How many bundles to keep in a record, where a read brings whole records and each bundle is wanted with probability `density`: the power of
 * two with the least expected time for each wanted bundle.
 */
export function bundlesPerRecord(
  bundleBytes: number,
  { cost, density, maxBytes }: { readonly cost: ReadCost; readonly density: number; readonly maxBytes: number },
): number {
  let best = 1;
  const timeOf = (count: number): number => {
    const wanted = 1 - (1 - density) ** count;
    return (wanted * readMs(cost, count * bundleBytes)) / count;
  };
  for (let count = 2; count * bundleBytes <= maxBytes; count *= 2) if (timeOf(count) < timeOf(best)) best = count;
  return best;
}
