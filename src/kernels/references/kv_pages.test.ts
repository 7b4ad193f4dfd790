// Pages that are quantized when they are full: errors within half a step, rules at ties and in ranges of nothing, words where shaders have them.

import { describe, expect, test } from "vitest";
import { f16ToF32, f32ToF16 } from "../../base/dtype.ts";
import { kvBlock, kvKeyWords, type KvPageType, kvValueWords } from "../../base/kv_types.ts";
import type { KvLayout } from "../../base/layout.ts";
import { seededRng } from "../../base/rng.ts";
import { decodePage, encodePage, quantizedPages } from "./kv_pages.ts";

const types: readonly KvPageType[] = ["q4", "kivi2"];
const steps = { q4: 15, kivi2: 3 } as const;

function layoutOf(type: KvPageType, headDim: number, pageTokens = 32): KvLayout {
  return { type, headDim, pageTokens, numKvHeads: 1, maxPages: 4 };
}

function half(value: number): number {
  return f16ToF32(f32ToF16(value));
}

function randomPage({ headDim, pageTokens }: KvLayout): Float32Array {
  const rng = seededRng(headDim);
  // Channels of very different sizes, as keys have them.
  return Float32Array.from({ length: pageTokens * headDim }, (_, i) => half(rng.normal() * 4 ** ((i % headDim) % 5) + (i % 3)));
}

/** Indices of the numbers that share a step with each one. */
function sharers({ headDim, pageTokens, type }: KvLayout, values: boolean, index: number): number[] {
  if (!values) return Array.from({ length: pageTokens }, (_, token) => token * headDim + (index % headDim));
  const block = kvBlock(type as KvPageType, headDim);
  const first = Math.floor(index / block) * block;
  return Array.from({ length: block }, (_, d) => first + d);
}

describe.each(types)("pages of %s", (type) => {
  test.each([8, 20, 32, 64, 80, 96, 128, 256])("come back within half a step, heads of %i", (headDim) => {
    const layout = layoutOf(type, headDim);
    const data = randomPage(layout);
    for (const values of [false, true]) {
      const words = encodePage(layout, values, data);
      expect(words.length).toBe(values ? kvValueWords(layout) : kvKeyWords(layout));
      const back = decodePage(layout, values, words);
      for (const [index, value] of data.entries()) {
        const shared = sharers(layout, values, index).map((at) => data[at]);
        const range = Math.max(...shared) - Math.min(...shared);
        // A step is rounded to f16, by up to 2^-11 of itself, and steps add up.
        expect(Math.abs(back[index] - value)).toBeLessThanOrEqual((range / steps[type]) * (0.5 + steps[type] * 2 ** -11) + 1e-9);
      }
    }
  });

  test("least and largest of a channel and of a block are kept", () => {
    const layout = layoutOf(type, 64);
    const data = randomPage(layout);
    const back = decodePage(layout, false, encodePage(layout, false, data));
    const channel = (page: Float32Array): number[] => sharers(layout, false, 5).map((at) => page[at]);
    expect(Math.min(...channel(back))).toBe(Math.min(...channel(data)));
    expect(Math.max(...channel(back)) / Math.max(...channel(data))).toBeCloseTo(1, 2);
  });

  test("equal numbers, zeros of both signs and numbers near the smallest come back as they are", () => {
    const layout = layoutOf(type, 8);
    for (const value of [0, 1, -3.5, 65504, 2 ** -24]) {
      const data = new Float32Array(256).fill(value);
      for (const values of [false, true]) expect(decodePage(layout, values, encodePage(layout, values, data))).toEqual(data);
    }
    const zeros = Float32Array.from({ length: 256 }, (_, i) => (i % 7 === 0 ? -0 : 0));
    expect(decodePage(layout, false, encodePage(layout, false, zeros)).every((value) => value === 0)).toBe(true);
  });

  test("the whole range of f16 in one channel stays finite", () => {
    const layout = layoutOf(type, 8);
    const data = Float32Array.from({ length: 256 }, (_, i) => (Math.floor(i / 8) % 2 ? 65504 : -65504));
    expect(decodePage(layout, false, encodePage(layout, false, data)).every((value) => Number.isFinite(value))).toBe(true);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("%d makes its channel, or its block, NaN and nothing else", (strange) => {
    const layout = layoutOf(type, 128);
    const data = randomPage(layout);
    data[7 * 128 + 70] = strange;
    for (const values of [false, true]) {
      const back = decodePage(layout, values, encodePage(layout, values, data));
      const lost = new Set(sharers(layout, values, 7 * 128 + 70));
      for (const [index, value] of back.entries()) expect(Number.isNaN(value), `${index}`).toBe(lost.has(index));
    }
  });
});

test("a number between two codes takes the larger one", () => {
  const layout = layoutOf("kivi2", 8);
  // 0 to 3: steps of 1.
  const data = Float32Array.from({ length: 256 }, (_, i) => [0, 3, 0.5, 1.5, 2.5, 0.4995, 2.499, 1][Math.floor(i / 8) % 8]);
  const back = decodePage(layout, false, encodePage(layout, false, data));
  expect([...back].filter((_, i) => i % 8 === 0).slice(0, 8)).toEqual([0, 3, 1, 2, 3, 0, 2, 1]);
});

test("words are what the shaders' comment says", () => {
  const layout = layoutOf("q4", 8);
  const data = Float32Array.from({ length: 256 }, (_, i) => Math.min(Math.floor(i / 8), 15) + (i % 8 === 1 ? 15 : 0));
  const words = encodePage(layout, false, data);
  // Channels run from 0 to 15 (channel 1 from 15 to 30): codes are the tokens' numbers, steps 1.
  expect(words[3]).toBe(0x33333333);
  expect(words[20]).toBe(0xffffffff);
  expect(words[32]).toBe(f32ToF16(1));
  expect(words[33]).toBe(f32ToF16(15) * 65536 + f32ToF16(1));
});

test("rows see the pages before their own quantized and nothing else", () => {
  const layout = layoutOf("q4", 8);
  const count = 2 * 4 * 32 * 8;
  const rng = seededRng(3);
  const draw = (): number => half(rng.normal());
  const kv = { maxTokens: 128, keys: Float32Array.from({ length: count }, draw), values: Float32Array.from({ length: count }, draw) };
  const seen = quantizedPages(kv, layout, [{ token: 0, position: 70, slot: 1 }]);
  const changed = [...kv.keys.keys()].filter((index) => kv.keys[index] !== seen.keys[index]).map((index) => Math.floor(index / 8));
  expect(changed.length).toBeGreaterThan(100);
  // Slot 1, positions 0 to 63.
  expect(changed.every((token) => token >= 128 && token < 192)).toBe(true);
});
