// What repairs pages: a matrix of rank 2 of what was lost is found, and no page is worse with it than without.

import { describe, expect, test } from "vitest";
import { f16ToF32, f32ToF16 } from "../../base/dtype.ts";
import { kvKeyWords, type KvPageType, kvRepairWords, kvValueWords } from "../../base/kv_types.ts";
import type { KvLayout } from "../../base/layout.ts";
import { seededRng } from "../../base/rng.ts";
import { decodePage, encodePage } from "./kv_pages.ts";
import { addRepair, repairWords } from "./kv_repair.ts";

function layoutOf(type: KvPageType, headDim: number, pageTokens: number): KvLayout {
  return { type, headDim, pageTokens, numKvHeads: 1, maxPages: 4 };
}

function squares(data: Float32Array, other: Float32Array): number {
  return data.reduce((sum, value, index) => sum + (value - other[index]) ** 2, 0);
}

/** Outer products of random vectors, and some noise. */
function lowRank({ headDim, pageTokens }: KvLayout, { rank, noise }: { rank: number; noise: number }): Float32Array {
  const rng = seededRng(rank + headDim);
  const draw = (count: number): number[] => Array.from({ length: count }, () => rng.normal());
  const vectors = Array.from({ length: rank }, () => [draw(pageTokens), draw(headDim)] as const);
  return Float32Array.from({ length: pageTokens * headDim }, (_, index) => {
    const product = vectors.reduce((sum, [u, v]) => sum + u[Math.floor(index / headDim)] * v[index % headDim], 0);
    return f16ToF32(f32ToF16(product + noise * rng.normal()));
  });
}

test.each([1, 2])("of what was lost a matrix of rank %i is found whole", (rank) => {
  const layout = layoutOf("q4", 64, 64);
  const data = lowRank(layout, { rank, noise: 0 });
  const none = new Float32Array(data.length);
  const repaired = none.slice();
  addRepair(layout, repaired, repairWords(layout, data, none));
  // f16 has 11 bits of each factor.
  expect(squares(repaired, data)).toBeLessThan(1e-6 * squares(none, data));
});

test("of rank 2 and noise what is left is little more than the noise", () => {
  const layout = layoutOf("q4", 64, 64);
  const data = lowRank(layout, { rank: 2, noise: 0.1 });
  const none = new Float32Array(data.length);
  const repaired = none.slice();
  addRepair(layout, repaired, repairWords(layout, data, none));
  expect(squares(repaired, data)).toBeLessThan(0.011 * data.length);
});

describe.each(["q4", "kivi2"] as const)("pages of %s", (type) => {
  test.each([
    [8, 32],
    [20, 32],
    [64, 64],
    [128, 128],
  ])("of random numbers lose less with it, heads of %i, pages of %i", (headDim, pageTokens) => {
    const layout = layoutOf(type, headDim, pageTokens);
    const mended: KvLayout = { ...layout, repair: "gear" };
    const data = lowRank(layout, { rank: 0, noise: 1 });
    for (const values of [false, true]) {
      const [plain, words] = [layout, mended].map((one) => encodePage(one, values, data));
      expect(words.length).toBe(values ? kvValueWords(mended) : kvKeyWords(mended));
      expect(words.length - plain.length).toBe(pageTokens + headDim);
      // Codes and what they share are the same.
      expect(words.slice(0, plain.length)).toEqual(plain);
      const share = squares(decodePage(mended, values, words), data) / squares(decodePage(layout, values, plain), data);
      // Two of the fewer of tokens and dimensions, and what of noise is not spread evenly.
      expect(share).toBeLessThan(1 - 2 / Math.min(headDim, pageTokens));
    }
  });

  test("what is exact already stays as it is, and what is no number spoils nothing else", () => {
    const layout: KvLayout = { ...layoutOf(type, 64, 64), repair: "gear" };
    const same = new Float32Array(64 * 64).fill(-3.5);
    expect(decodePage(layout, false, encodePage(layout, false, same))).toEqual(same);
    const data = lowRank(layout, { rank: 3, noise: 1 });
    data[64 * 7 + 5] = Number.POSITIVE_INFINITY;
    const back = decodePage(layout, false, encodePage(layout, false, data));
    for (const [index, value] of back.entries()) expect(Number.isFinite(value)).toBe(index % 64 !== 5);
  });

  test("the whole range of f16 stays finite", () => {
    const layout: KvLayout = { ...layoutOf(type, 64, 64), repair: "gear" };
    const rng = seededRng(1);
    const data = Float32Array.from({ length: 64 * 64 }, () => f16ToF32(f32ToF16((2 * rng.unit() - 1) * 65000)));
    const back = decodePage(layout, true, encodePage(layout, true, data));
    expect(back.every((value) => Number.isFinite(value))).toBe(true);
  });
});

test("types that are not quantized by pages have no words of it", () => {
  expect(kvRepairWords({ type: "q8_0", headDim: 64, pageTokens: 64, repair: "gear" })).toBe(0);
  expect(kvValueWords({ type: "f16", headDim: 64, pageTokens: 64, repair: "gear" })).toBe(64 * 32);
});
