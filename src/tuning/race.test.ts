import { expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { decide, race, type Sample } from "./race.ts";

/** A clock of a world where a dispatch of each rival takes so long, give or take a share. */
function clockOf(costs: readonly number[], jitter = 0): { sample: Sample; calls: number[][] } {
  const rng = seededRng(5);
  const calls: number[][] = [];
  const sample: Sample = async (rivals, repeats) => {
    calls.push([...rivals]);
    return rivals.map((rival) => costs[rival] * repeats * (1 + jitter * (rng.unit() - 0.5)));
  };
  return { sample, calls };
}

const options = { budgetMs: 300, sampleMs: 2 };

test("the fastest of rivals wins, in every place", async () => {
  for (const winner of [0, 1, 2, 3]) {
    const costs = [1, 1, 1, 1].map((cost, rival) => (rival === winner ? 0.5 : cost));
    const result = await race(clockOf(costs, 0.02).sample, 4, options);
    expect(result?.winner).toBe(winner);
  }
});

test("a lead that noise could make leaves the default", async () => {
  const even = await race(clockOf([1, 0.98], 0.01).sample, 2, options);
  expect(even?.winner).toBe(0);
  const noisy = await race(clockOf([1, 0.85], 0.9).sample, 2, options);
  expect(noisy?.winner).toBe(0);
});

test("whoever fell behind is timed no more, and the default always", async () => {
  const { sample, calls } = clockOf([1, 5, 0.9]);
  await race(sample, 3, options);
  const rounds = calls.filter((rivals) => rivals.length > 1);
  expect(rounds.slice(0, 2)).toEqual([
    [0, 1, 2],
    [0, 1, 2],
  ]);
  expect(rounds.slice(2).every((rivals) => rivals.join() === "0,2")).toBe(true);
  expect(rounds.length).toBeGreaterThan(3);
});

test("rivals that the budget has no room for do not start, nor does a race of one", async () => {
  const { sample, calls } = clockOf([20, 10, 10, 10, 10, 10]);
  const result = await race(sample, 6, { budgetMs: 190, sampleMs: 2 });
  expect(result?.winner).toBe(1);
  expect(Math.max(...calls.flat())).toBe(2);
  expect(await race(clockOf([200, 1]).sample, 2, options)).toBeUndefined();
});

test("a slow first sample does not set the length of all others", async () => {
  const repeated: number[] = [];
  const sample: Sample = async (rivals, repeats) => {
    repeated.push(repeats);
    const spike = repeated.length === 1 ? 4 : 0;
    return rivals.map((rival) => [0.15, 0.17][rival] * repeats + spike);
  };
  await race(sample, 2, options);
  expect(Math.min(...repeated.slice(-3)) * 0.15).toBeGreaterThan(options.sampleMs * 0.6);
});

test("an abort ends a race between samples", async () => {
  const stop = new AbortController();
  let samples = 0;
  const sample: Sample = async (rivals) => {
    if (++samples === 3) stop.abort();
    return rivals.map(() => 2);
  };
  await expect(race(sample, 2, { ...options, signal: stop.signal })).rejects.toMatchObject({ code: "AbortError" });
  expect(samples).toBe(3);
});

test("two samples decide nothing", () => {
  expect(
    decide([
      [1, 1],
      [0.1, 0.1],
    ]),
  ).toBe(0);
  expect(
    decide([
      [1, 1, 1],
      [0.1, 0.1, 0.1],
      [0.01, 0.01],
    ]),
  ).toBe(1);
});
