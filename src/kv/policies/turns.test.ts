import { expect, test } from "vitest";
import { HeldTurns } from "./turns.ts";

test("kept tokens keep their turns through several evictions, and turn back to their places", () => {
  const turns = new HeldTurns(2);
  turns.keep([Uint32Array.of(0, 2, 5), Uint32Array.of(1, 3, 4)], 6);
  expect(turns.shift).toBe(3);
  // The next token has place 3 and turned as the seventh, at 6.
  expect([0, 1, 2, 3, 4].map((place) => turns.turnOf(0, place))).toEqual([0, 2, 5, 6, 7]);
  expect([...turns.backs(1, Uint32Array.of(1, 2, 4))]).toEqual([3, 3, 5]);
  turns.keep([Uint32Array.of(0, 2, 4), Uint32Array.of(1, 2, 4)], 5);
  expect(turns.shift).toBe(5);
  expect([0, 1, 2, 3].map((place) => turns.turnOf(0, place))).toEqual([0, 5, 7, 8]);
  expect([0, 1, 2, 3].map((place) => turns.turnOf(1, place))).toEqual([3, 4, 7, 8]);
  turns.settle();
  expect(turns.shift).toBe(0);
  expect(turns.turnOf(1, 2)).toBe(2);
});
