import { describe, expect, test } from "vitest";
import { seededRng } from "../../base/rng.ts";
import { firstMoved, keptTokens, keyformerKept, largest, maxPooled, snapKept, snapWindow, windowKept } from "./kept.ts";

test("a quarter of what is no sink goes at once, and at least one token", () => {
  expect(keptTokens({ keep: 1024, sink: 4 })).toBe(1024 - 255);
  expect(keptTokens({ keep: 1088, sink: 1024 })).toBe(1088 - 16);
  expect(keptTokens({ keep: 6, sink: 4 })).toBe(5);
});

test("a window keeps the sinks and the newest", () => {
  expect([...windowKept(12, { keep: 12, sink: 4 })]).toEqual([0, 1, 2, 3, 6, 7, 8, 9, 10, 11]);
  expect([...windowKept(20, { keep: 12, sink: 0 })]).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19]);
});

test("pooling takes the largest of a value and its neighbours", () => {
  expect([...maxPooled(Float32Array.of(0, 5, 0, 0, 2, 1), 1)]).toEqual([5, 5, 5, 2, 2, 2]);
  expect([...maxPooled(Float32Array.of(3, 1), 3)]).toEqual([3, 3]);
});

describe("the largest values", () => {
  test("come in order of place; of equal ones the first; NaN and the least last", () => {
    expect(largest(Float32Array.of(1, 3, 3, 2, 3), 2)).toEqual([1, 2]);
    expect(largest(Float32Array.of(Number.NaN, 0, 1, Number.NaN), 2)).toEqual([1, 2]);
    expect(largest(Float32Array.of(Number.NaN, 1), 2)).toEqual([0, 1]);
    expect(largest(Float32Array.of(1), 0)).toEqual([]);
  });

  test("agree with a sort of all pairs", () => {
    const rng = seededRng(4);
    for (let round = 0; round < 200; round++) {
      const values = Float32Array.from({ length: 1 + rng.below(40) }, () => rng.below(6));
      const count = rng.below(values.length + 1);
      const pairs = [...values].map((value, index) => ({ value, index })).toSorted((a, b) => b.value - a.value || a.index - b.index);
      const want = pairs.slice(0, count).map(({ index }) => index);
      expect(largest(values, count)).toEqual(want.toSorted((a, b) => a - b));
    }
  });
});

test.each([
  ["snapkv", snapKept, snapWindow],
  ["keyformer", keyformerKept, 31],
] as const)("%s keeps sinks, the newest, and between them what scores most", (_, kept, recent) => {
  const room = { keep: 170, sink: 4 };
  const held = 300;
  const rng = seededRng(9);
  const scores = Float32Array.from({ length: held }, () => rng.unit());
  scores[100] = 50;
  const places = [...kept(scores, room)];
  expect(places).toHaveLength(keptTokens(room));
  expect(places).toEqual([...new Set(places)].toSorted((a, b) => a - b));
  expect(places.slice(0, 4)).toEqual([0, 1, 2, 3]);
  expect(places.slice(-recent)).toEqual(Array.from({ length: recent }, (_unused, index) => held - recent + index));
  expect(places).toContain(100);
  // Pooling keeps a key's neighbours with it.
  const near = [97, 98, 99, 101, 102, 103].filter((place) => places.includes(place)).length;
  if (kept === snapKept) expect(near).toBe(6);
  const middle = places.slice(4, -recent);
  const pooled = kept === snapKept ? maxPooled(scores.subarray(4, held - recent), 3) : scores.subarray(4, held - recent);
  const least = Math.min(...middle.map((place) => pooled[place - 4]));
  const dropped = [...pooled.keys()].filter((index) => !middle.includes(index + 4));
  expect(Math.max(...dropped.map((index) => pooled[index]))).toBeLessThanOrEqual(least);
});

test("the first place that changes", () => {
  expect(firstMoved([0, 1, 3])).toBe(2);
  expect(firstMoved([0, 1])).toBe(2);
  expect(firstMoved([5])).toBe(0);
});
