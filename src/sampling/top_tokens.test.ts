import { expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { argMax, topIndices } from "./top_tokens.ts";

function sortedIndices(values: Float32Array, count: number): number[] {
  return Array.from(values, (_, i) => i)
    .toSorted((a, b) => values[b] - values[a] || a - b)
    .slice(0, count);
}

test("the selection is the head of the sorted order", () => {
  const rng = seededRng(1);
  for (let round = 0; round < 300; round++) {
    const values = new Float32Array(1 + rng.below(300));
    // Few distinct values in half the rounds, so that ties decide.
    for (let i = 0; i < values.length; i++) values[i] = round % 2 === 0 ? rng.normal() : rng.below(5);
    const count = rng.below(values.length + 10);
    expect(Array.from(topIndices(values, count))).toEqual(sortedIndices(values, count));
  }
});

test("masked tokens (-inf) come last, by index", () => {
  const values = Float32Array.from([-Infinity, 1, -Infinity, 2]);
  expect(Array.from(topIndices(values, 4))).toEqual([3, 1, 0, 2]);
  expect(Array.from(topIndices(values, 3))).toEqual([3, 1, 0]);
});

test("argMax takes the first of equals and sees NaN anywhere", () => {
  expect(argMax(Float32Array.from([1, 3, 3, 2]))).toBe(1);
  expect(argMax(Float32Array.from([-Infinity, -Infinity]))).toBe(0);
  for (const place of [0, 1, 2]) {
    const values = Float32Array.from([1, 2, 3]);
    values[place] = NaN;
    expect(argMax(values)).toBe(-1);
  }
  expect(argMax(new Float32Array(0))).toBe(-1);
});
