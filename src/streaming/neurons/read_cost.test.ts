// Fitted costs, and planned reads against every way of cutting the same records into reads.

import { expect, test } from "vitest";
import { seededRng } from "../../base/rng.ts";
import { bundlesPerRecord, fitReadCost, measureReadCost, planReads, readMs, type RecordRun } from "./read_cost.ts";

const cost = { fixedMs: 0.05, bytesPerMs: 1e6 };

test("a line through exact times is that line", () => {
  const reads = [4096, 65536, 1 << 20, 4 << 20].map((bytes) => ({ bytes, ms: readMs(cost, bytes) }));
  const found = fitReadCost(reads);
  expect(found.fixedMs).toBeCloseTo(0.05, 9);
  expect(found.bytesPerMs / 1e6).toBeCloseTo(1, 9);
});

test("times that fall below zero or do not grow give no negative costs", () => {
  expect(
    fitReadCost([
      { bytes: 1000, ms: 1 },
      { bytes: 2000, ms: 3 },
    ]).fixedMs,
  ).toBe(0);
  expect(
    fitReadCost([
      { bytes: 1000, ms: 2 },
      { bytes: 2000, ms: 1 },
    ]).bytesPerMs,
  ).toBeGreaterThan(1e9);
});

test("the fastest of several rounds counts", async () => {
  let now = 0;
  let reads = 0;
  const read = async (bytes: number): Promise<void> => {
    now += readMs(cost, bytes) + (reads++ % 3 === 0 ? 0 : 5);
  };
  const found = await measureReadCost(read, { sizes: [65536, 1 << 20], rounds: 3, now: () => now });
  expect(found.fixedMs).toBeCloseTo(0.05, 6);
});

function totalMs(runs: readonly RecordRun[], recordBytes: number): number {
  return runs.reduce((sum, { count }) => sum + readMs(cost, count * recordBytes), 0);
}

/** The least time of all ways to cut the wanted records into runs. */
function leastMs(wanted: readonly number[], recordBytes: number): number {
  const cuts = Array.from({ length: 1 << Math.max(0, wanted.length - 1) }, (_, mask) => {
    const runs: { first: number; count: number }[] = [];
    wanted.forEach((record, place) => {
      const run = runs.at(-1);
      if (run && ((mask >> (place - 1)) & 1) === 1) run.count = record + 1 - run.first;
      else runs.push({ first: record, count: 1 });
    });
    return totalMs(runs, recordBytes);
  });
  return Math.min(...cuts);
}

test("planned reads bring everything in the least time there is", () => {
  const rng = seededRng(7);
  for (let round = 0; round < 30; round++) {
    const wanted = Array.from({ length: 30 }, (_, record) => record)
      .filter(() => rng.unit() < 0.3)
      .slice(0, 10);
    for (const recordBytes of [4096, 20_000, 200_000]) {
      const runs = planReads(wanted, { recordBytes, cost, maxBytes: Number.POSITIVE_INFINITY });
      const brought = new Set(runs.flatMap(({ first, count }) => Array.from({ length: count }, (_, at) => first + at)));
      expect(wanted.every((record) => brought.has(record))).toBe(true);
      expect(totalMs(runs, recordBytes)).toBeCloseTo(leastMs(wanted, recordBytes), 9);
    }
  }
});

test("no read is longer than what it is read into", () => {
  const runs = planReads([0, 1, 2, 3, 4, 5, 6], { recordBytes: 100, cost, maxBytes: 300 });
  expect(runs).toEqual([
    { first: 0, count: 3 },
    { first: 3, count: 3 },
    { first: 6, count: 1 },
  ]);
  expect(planReads([4], { recordBytes: 100, cost, maxBytes: 10 })).toEqual([{ first: 4, count: 1 }]);
});

function perRecord(density: number, bundleBytes: number): number {
  return bundlesPerRecord(bundleBytes, { cost, density, maxBytes: 4 << 20 });
}

test("records hold more bundles the dearer a read is and the more of them are wanted", () => {
  expect(perRecord(0.1, 200_000)).toBe(1);
  expect(perRecord(0.1, 2000)).toBeGreaterThan(1);
  expect(perRecord(1, 2000)).toBeGreaterThanOrEqual(perRecord(0.1, 2000));
});
