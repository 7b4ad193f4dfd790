import { expect, test } from "vitest";
import { boundBytes, chooseTile, countedBytes, tileBytes, type TileNeed } from "./attention_tile.ts";

const memories = [16_384, 32_768, 65_536];
const headDims = [32, 48, 64, 80, 96, 128, 160, 256, 512];
const groups = [1, 2, 3, 4, 7, 8, 16, 24, 71];

const usual: TileNeed = { headDim: 64, group: 4, workgroupBytes: 16_384, maxThreads: 256, maxRows: 512 };

const needs: readonly TileNeed[] = memories.flatMap((workgroupBytes) =>
  headDims.flatMap((headDim) => groups.map((group) => ({ headDim, group, workgroupBytes, maxThreads: 256, maxRows: 512 }))),
);

test("tiles fit memory and threads, and have room for whole queries", () => {
  for (const need of needs) {
    const tile = chooseTile(need);
    expect(tileBytes(tile)).toBeLessThanOrEqual(need.workgroupBytes);
    expect(tile.threads).toBeLessThanOrEqual(256);
    expect(tile.queries).toBeGreaterThanOrEqual(1);
    expect(tile.queries * tile.heads).toBeLessThanOrEqual(tile.pairs);
    expect(tile.threads % 8).toBe(0);
  }
});

test("what adapters promise holds 64 pairs, twice as much 128 where threads suffice", () => {
  const pairs = [16_384, 32_768].map((workgroupBytes) =>
    [64, 80, 96, 128, 256].map((headDim) => chooseTile({ ...usual, headDim, workgroupBytes }).pairs),
  );
  expect(pairs[0]).toEqual([64, 64, 64, 64, 32]);
  expect(pairs[1]).toEqual([128, 128, 128, 128, 64]);
  // Short heads stay in workgroup memory.
  expect(chooseTile({ ...usual, headDim: 32, workgroupBytes: 32_768 })).toMatchObject({
    pairs: 64,
    resident: true,
  });
});

test("counted bytes scale as the bound on input and output, over tokens, heads and memory", () => {
  const ratios = needs
    .filter(({ group, headDim }) => 64 % group === 0 && headDim <= 256)
    .flatMap((need) => [1024, 4096, 32_768].map((tokens) => countedBytes(chooseTile(need), need, tokens) / boundBytes(need, tokens)));
  expect(Math.min(...ratios)).toBeGreaterThanOrEqual(1);
  expect(Math.max(...ratios)).toBeLessThanOrEqual(16);
  const [small, large] = [usual, { ...usual, workgroupBytes: 32_768 }].map((need) =>
    [4096, 8192].map((tokens) => countedBytes(chooseTile(need), need, tokens)),
  );
  expect(small[1] / small[0]).toBeCloseTo(4, 1);
  // N^2 d / sqrt(M) at this head, where M is about d^2.
  expect(small[1] / large[1]).toBeCloseTo(4 / 3, 1);
});

test("queries of a tile are of one page where that matters", () => {
  for (const pageTokens of [8, 16, 32, 64, 128]) {
    for (const need of needs) {
      const { queries } = chooseTile({ ...need, pageTokens });
      expect(pageTokens % queries).toBe(0);
    }
  }
});

test("a step of few rows has a small tile", () => {
  expect(chooseTile({ headDim: 64, group: 1, workgroupBytes: 32_768, maxThreads: 256, maxRows: 16 }).pairs).toBe(32);
  expect(chooseTile({ headDim: 64, group: 4, workgroupBytes: 16_384, maxThreads: 256, maxRows: 16 }).pairs).toBe(64);
});
