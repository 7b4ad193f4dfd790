import { expect, test } from "vitest";
import { activeRanges, mostRanges, rangeTokens } from "./attention.ts";

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
