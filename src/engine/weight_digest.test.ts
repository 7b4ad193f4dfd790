import { expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import type { TensorInfo } from "../weights/tensor_info.ts";
import { WeightDigest } from "./weight_digest.ts";

function info(name: string, rows: number, cols: number): TensorInfo {
  return { name, type: 0, shape: [rows, cols], offset: 0, bytes: rows * cols * 4 };
}

const tensors = new Map([info("blk.0.small", 16, 32), info("token_embd", 4000, 64)].map((tensor) => [tensor.name, tensor]));
const rng = seededRng(1);
const data = new Map([...tensors.values()].map(({ name, bytes }) => [name, Uint8Array.from({ length: bytes }, () => rng.below(256))]));

/** The digest when tensors come in pieces of so many rows. */
function digest(rowsTogether: number, change?: { tensor: string; at: number }, order = [...tensors.keys()]): WeightDigest {
  const weights = new WeightDigest(tensors);
  for (const tensor of order) {
    const [rows, cols] = tensors.get(tensor)?.shape ?? [];
    const bytes = (data.get(tensor) ?? new Uint8Array()).slice();
    if (change?.tensor === tensor) bytes[change.at] ^= 1;
    for (let row = 0; row < rows; row += rowsTogether) {
      const count = Math.min(rowsTogether, rows - row);
      weights.pass({ tensor, tensorRow: row, rows: count, cols }, bytes.subarray(row * cols * 4, (row + count) * cols * 4));
    }
  }
  return weights;
}

test("cuts, order and repetition change nothing", () => {
  const whole = digest(10_000).text();
  expect(digest(8).text()).toBe(whole);
  expect(digest(24, undefined, ["token_embd", "blk.0.small", "token_embd"]).text()).toBe(whole);
});

test("a flipped bit of what is looked at changes it: all of a small tensor, rows of a large one", () => {
  const whole = digest(8).text();
  for (const at of [0, 777, 16 * 32 * 4 - 1]) expect(digest(8, { tensor: "blk.0.small", at }).text()).not.toBe(whole);
  expect(digest(8, { tensor: "token_embd", at: 3 }).text()).not.toBe(whole);
});

test("some tensors can be left out, and unknown ones are", () => {
  const weights = digest(8);
  weights.pass({ tensor: "strange", tensorRow: 0, rows: 1, cols: 4 }, new Uint8Array(16));
  expect(weights.text()).toBe(digest(8).text());
  expect(weights.text((tensor) => !tensor.startsWith("blk."))).toMatch(/^token_embd \S+/);
});
