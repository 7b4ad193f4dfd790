import { expect, test } from "vitest";
import type { Adoption } from "../kv/kv_cache.ts";
import { commonLength } from "../kv/prefix_cache.ts";
import { Sequence } from "./sequence.ts";

/** A cache of one slot that shares nothing; `cut` says how much of it cannot be gone on from. */
function plainCache({ cut = 0 } = {}): {
  adopt: (slot: number, adoption: Adoption) => number;
  truncate: (slot: number, tokens: number) => number;
  discard: () => void;
} {
  return {
    adopt: (_slot, { held, wanted, most }) => Math.min(commonLength(held, wanted), most),
    truncate: (_slot, tokens) => Math.max(0, tokens - cut),
    discard: () => undefined,
  };
}

test("a new prompt keeps the longest common prefix, as far as it may", () => {
  const sequence = new Sequence(0, plainCache());
  sequence.append([1, 2, 3, 4]);
  expect(sequence.reuse([1, 2, 9, 9], 3)).toBe(2);
  expect(sequence.length).toBe(2);
  sequence.append([9, 9]);
  expect(sequence.reuse([1, 2, 9, 9], 3)).toBe(3);
  expect(sequence.reuse([1], 0)).toBe(0);
  expect(sequence.reuse([7, 8], 1)).toBe(0);
});

test("a reset sequence shares nothing", () => {
  const sequence = new Sequence(0, plainCache());
  sequence.append([1, 2, 3]);
  sequence.reset();
  expect(sequence.reuse([1, 2, 3], 2)).toBe(0);
});

test("a sequence goes back to where the cache can go on from", () => {
  const sequence = new Sequence(0, plainCache({ cut: 2 }));
  sequence.append([1, 2, 3, 4, 5]);
  sequence.trim();
  expect(sequence.ids).toEqual([1, 2, 3]);
});

test("what tokens were dropped from holds for a prompt that goes on behind all of them, and for no other", () => {
  const sequence = new Sequence(0, plainCache());
  sequence.append([1, 2, 3, 4, 5]);
  sequence.drop(2, 2);
  expect([sequence.length, sequence.dropped, sequence.shift]).toEqual([3, 2, 2]);
  expect(sequence.reuse([1, 2, 3, 4, 5, 6], 5)).toBe(5);
  expect([sequence.length, sequence.dropped]).toEqual([3, 2]);
  expect(sequence.reuse([1, 2, 3, 9, 9, 9], 5)).toBe(0);
  expect([sequence.length, sequence.dropped, sequence.shift]).toEqual([0, 0, 0]);
});
