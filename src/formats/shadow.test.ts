// What a ternary copy keeps of random rows, and of rows that have nothing to keep.

import { expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { ternary } from "./shadow.ts";
import { tq2_0 } from "./tq2_0.ts";

function copyOf(values: Float32Array): Float32Array {
  const out = new Float32Array(values.length);
  tq2_0.dequantize(ternary(values), out);
  return out;
}

test("a copy of normal weights points the same way: correlation 0.89 at the least, of 0.9 that three values can have", () => {
  const rng = seededRng(1);
  const values = Float32Array.from({ length: 4096 }, () => rng.normal() * 0.03);
  const copy = copyOf(values);
  let [both, own, copied] = [0, 0, 0];
  for (const [index, value] of values.entries()) {
    both += value * copy[index];
    own += value * value;
    copied += copy[index] ** 2;
  }
  expect(both / Math.sqrt(own * copied)).toBeGreaterThan(0.89);
  expect(new Set([...copy].map(Math.sign))).toEqual(new Set([-1, 0, 1]));
});

test("zeros stay zero", () => {
  expect(copyOf(new Float32Array(256)).every((value) => value === 0)).toBe(true);
});
