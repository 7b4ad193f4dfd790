import { expect, test } from "vitest";
import { plainCaps } from "../testing/plain_caps.ts";
import { activeRanges, alibiSlope, mostRanges, rangeFirst, rangeTokens } from "./attention.ts";
import { attentionDecode, chooseSplits } from "./attention_decode.ts";
import { heads, type HeadsAttributes } from "./heads.ts";

test("ranges hold the whole past, are multiples of 8 and no more than there may be", () => {
  for (const splits of [1, 3, 4, 16]) {
    for (const splitTokens of [8, 32, 128]) {
      const ranges = { splits, splitTokens };
      for (let position = 0; position < 5000; position += 7) {
        const tokens = rangeTokens(position, ranges);
        const active = activeRanges(position, ranges);
        expect(tokens % 8).toBe(0);
        expect(tokens).toBeGreaterThanOrEqual(splitTokens);
        // The last range holds the position.
        expect((active - 1) * tokens).toBeLessThanOrEqual(position);
        expect(active * tokens).toBeGreaterThan(position);
        expect(active).toBeLessThanOrEqual(mostRanges(position + 1, ranges));
        // The integer form of parts/ranges/bounded.wgsl.
        expect(Math.max(splitTokens, Math.floor((position + 8 * splits) / (8 * splits)) * 8)).toBe(tokens);
      }
      expect(mostRanges(5000, ranges)).toBeLessThanOrEqual(splits);
    }
  }
});

test("short pasts have ranges of the least length, long ones more tokens in a range", () => {
  const ranges = { splits: 16, splitTokens: 32 };
  expect([0, 31, 32, 511].map((position) => activeRanges(position, ranges))).toEqual([1, 1, 2, 16]);
  expect([0, 511, 512, 4095].map((position) => rangeTokens(position, ranges))).toEqual([32, 32, 40, 256]);
});

test("partials of GPUs stay as small at 131,072 tokens as at 4,096", () => {
  const target = { caps: plainCaps, deviceClass: "gpu", precision: "f32", maxRows: 1 } as const;
  for (const numKvHeads of [1, 2, 8, 32, 64]) {
    const kv = { pageTokens: 32, numKvHeads, headDim: 128, type: "f32", maxPages: 4096 } as const;
    const found = [4096, 131072].map((tokens) => chooseSplits(target, kv, tokens));
    expect(found[1]).toEqual(found[0]);
    expect(found[0].splits).toBeGreaterThanOrEqual(4);
    expect(found[0].splits).toBeLessThanOrEqual(16);
    // A short context has no more than it can use.
    expect(chooseSplits(target, kv, 100).splits).toBe(2);
    const [variant] = attentionDecode.variants({ kv, numHeads: 64, scale: 1, ...found[1] }, target);
    const [sets, active] = variant.grid({ rows: 1, outputRows: 1, contextTokens: 131072 });
    expect([sets, active]).toEqual([numKvHeads * Math.ceil(64 / numKvHeads / 4), found[0].splits]);
  }
});

test("so do those of CPU drivers, at 1,024 tokens already, whatever a page holds", () => {
  const target = { caps: plainCaps, deviceClass: "cpu", precision: "f32", maxRows: 1 } as const;
  const found = [8, 128].flatMap((pageTokens) =>
    [1024, 4096, 131_072].map((tokens) => {
      const kv = { pageTokens, numKvHeads: 2, headDim: 64, type: "f32", maxPages: tokens / pageTokens } as const;
      return chooseSplits(target, kv, tokens);
    }),
  );
  for (const one of found) expect(one).toEqual({ splits: 32, splitTokens: 32 });
});

test("a window is cut alone, and its ranges begin with it", () => {
  const ranges = { splits: 4, splitTokens: 32, window: 100 };
  expect([0, 99, 100, 5000].map((position) => rangeFirst(position, ranges))).toEqual([0, 0, 0, 4896]);
  expect(mostRanges(100_000, ranges)).toBe(4);
  for (let position = 0; position < 3000; position += 7) {
    const first = rangeFirst(position, ranges);
    const tokens = rangeTokens(position, ranges);
    expect(first % 8).toBe(0);
    expect(first).toBeLessThanOrEqual(Math.max(0, position - 99));
    expect(activeRanges(position, ranges)).toBeLessThanOrEqual(mostRanges(position + 1, ranges));
    expect(first + activeRanges(position, ranges) * tokens).toBeGreaterThan(position);
  }
});

test("slopes of ALiBi halve from head to head, and heads beyond a power of two lie between", () => {
  expect(Array.from({ length: 8 }, (_, head) => alibiSlope(head, 8))).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((power) => 2 ** -power));
  // The next four of twelve are every other slope of sixteen.
  expect(Array.from({ length: 4 }, (_, head) => alibiSlope(8 + head, 12))).toEqual([1, 3, 5, 7].map((power) => 2 ** (-power / 2)));
});

test("heads that shaders do not have give no variant", () => {
  const target = { caps: plainCaps, deviceClass: "gpu", precision: "f32", maxRows: 1 } as const;
  const kv = { pageTokens: 32, numKvHeads: 1, headDim: 24, type: "f32", maxPages: 4 } as const;
  const shape = { kv, numHeads: 2, headDim: 24, maxPositions: 128, keyStart: 48, valueStart: 72, cols: 96 } as const;
  const count = (one: HeadsAttributes): number[] => [
    heads.variants(one, target).length,
    attentionDecode.variants({ kv, numHeads: 2, scale: 1, splits: 1, splitTokens: 64, prologue: one }, target).length,
  ];
  expect(count({ ...shape, rotaryDim: 24, pairing: "half" })).toEqual([1, 1]);
  expect(count({ ...shape, rotaryDim: 12, pairing: "half" })).toEqual([0, 0]);
  expect(count({ ...shape, rotaryDim: 12, pairing: "interleaved" })).toEqual([1, 1]);
  expect(count({ ...shape, rotaryDim: 10, pairing: "interleaved" })).toEqual([0, 0]);
  expect(count({ ...shape, rotaryDim: 24, pairing: "half", qNorm: { eps: 1e-6 } })).toEqual([0, 0]);
});
