import { expect, test } from "vitest";
import { Sequence } from "./sequence.ts";

test("a new prompt keeps the longest common prefix, short of its last token", () => {
  const sequence = new Sequence(0);
  sequence.append([1, 2, 3, 4]);
  expect(sequence.reuse([1, 2, 9, 9])).toBe(2);
  expect(sequence.length).toBe(2);
  sequence.append([9, 9]);
  // The last token must run again to give logits.
  expect(sequence.reuse([1, 2, 9, 9])).toBe(3);
  expect(sequence.reuse([1])).toBe(0);
  expect(sequence.reuse([7, 8])).toBe(0);
});

test("a reset sequence shares nothing", () => {
  const sequence = new Sequence(0);
  sequence.append([1, 2, 3]);
  sequence.reset();
  expect(sequence.reuse([1, 2, 3])).toBe(0);
});
