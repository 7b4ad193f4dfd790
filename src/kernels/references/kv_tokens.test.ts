// What tokens lose as codes: bounds, edges, and what is no number.

import { describe, expect, test } from "vitest";
import { type KvTokenType, kvBlock, kvValueWords } from "../../base/kv_types.ts";
import { seededRng } from "../../base/rng.ts";
import { decodeToken, encodeToken, keptToken } from "./kv_tokens.ts";

const types: readonly KvTokenType[] = ["q8_0", "bfp4"];

function normal(length: number, scale: number): Float32Array {
  const rng = seededRng(length);
  return Float32Array.from({ length }, () => rng.normal() * scale);
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

describe.each(types)("%s", (type) => {
  test.each([8, 12, 20, 64, 80, 96, 128, 256])("heads of %i take the words that pages have for them", (headDim) => {
    const { codes, shared } = encodeToken(type, normal(headDim, 1));
    expect(32 * (codes.length + shared.length)).toBe(kvValueWords({ type, headDim, pageTokens: 32 }));
  });

  test.each([1e-3, 1, 1000])("an error is at most half a step, at %f", (scale) => {
    const vector = normal(96, scale);
    const kept = keptToken(type, vector);
    const size = kvBlock(type, 96);
    for (let d = 0; d < 96; d++) {
      const most = largest(vector.subarray(d - (d % size), d - (d % size) + size));
      // bfp4 cuts what rounds to +8 quarters.
      const bound = type === "q8_0" ? (most / 127) * 1.001 * 0.5 : 2 ** Math.floor(Math.log2(most)) / 4;
      expect(Math.abs(kept[d] - vector[d])).toBeLessThanOrEqual(bound);
    }
  });

  test("zeros stay zeros, and what is no number makes its block NaN alone", () => {
    expect(keptToken(type, new Float32Array(32)).every((value) => value === 0)).toBe(true);
    for (const strange of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const vector = normal(96, 1);
      vector[40] = strange;
      const size = kvBlock(type, 96);
      const kept = [...keptToken(type, vector).entries()];
      expect(kept.every(([d, value]) => Number.isNaN(value) === (Math.floor(d / size) === Math.floor(40 / size)))).toBe(true);
    }
  });

  test("the largest and the smallest numbers of f32 stay finite", () => {
    for (const value of [3.4e38, 1e-40, 2 ** -149]) {
      expect(keptToken(type, Float32Array.of(value, -value, value, -value)).every(Number.isFinite)).toBe(true);
    }
  });
});

test("q8_0 rounds ties up and keeps the largest number at 127 steps or less", () => {
  const vector = Float32Array.of(127, 0.5, -0.5, 1.5, 126.4, -127, 0, 3);
  expect([...keptToken("q8_0", vector)]).toEqual([127, 1, 0, 2, 126, -127, 0, 3]);
  const { shared } = encodeToken("q8_0", vector);
  // The step is 1, and f16 of 128 is 0x5800.
  expect([...shared]).toEqual([0x5800]);
});

test("bfp4 counts quarters of the largest power of two, ties to even", () => {
  expect([...keptToken("bfp4", Float32Array.of(4, 1.5, -2.5, 7.4))]).toEqual([4, 2, -2, 7]);
  expect([...keptToken("bfp4", Float32Array.of(7.9, -7.9, 0.4, 0))]).toEqual([7, -8, 0, 0]);
  const words = encodeToken("bfp4", Float32Array.of(4, 1.5, -2.5, 7.4));
  expect([...words.codes]).toEqual([0xf6ac]);
  expect([...words.shared]).toEqual([129]);
  expect([...decodeToken("bfp4", words, 4)]).toEqual([4, 2, -2, 7]);
});
