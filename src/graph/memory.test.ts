import { expect, test } from "vitest";
import { exactMemoryBytes } from "../testing/exact_memory.ts";
import type { KernelCall } from "./call.ts";
import type { Value } from "./ir.ts";
import { planMemory, valueBytes } from "./memory.ts";

const shape = { maxRows: 4, maxOutputRows: 1, activationBytes: 4 };

function value(id: number, cols: number, type: Value["type"] = "act"): Value {
  return { id, name: `v${id}`, rows: "rows", cols, type };
}

const visit: KernelCall["visit"] = () => expect.fail("planning asks for no kernel");

function call(inputs: Value[], outputs: Value[]): KernelCall {
  const none = { weights: [], vectors: [], tables: [], layer: undefined, outputSpecs: [], variants: () => [], visit };
  return { kernel: "k", name: "k", inputs, outputs, ...none };
}

test("rows are padded to whole 32-wide blocks, words are not", () => {
  expect(valueBytes(value(0, 33), shape)).toBe(4 * 64 * 4);
  expect(valueBytes(value(0, 64), { ...shape, activationBytes: 2 })).toBe(4 * 64 * 2);
  expect(valueBytes({ ...value(0, 4, "u32"), rows: "outputRows" }, shape)).toBe(256);
});

test("a buffer is reused after its value's last reader, never inside one call", () => {
  const [a, b, c, d] = [value(0, 64), value(1, 64), value(2, 64), value(3, 64)];
  const plan = planMemory([call([], [a]), call([a], [b]), call([b], [c]), call([c, b], [d])], shape, new Set());
  expect(plan.placement.get(0)).not.toBe(plan.placement.get(1));
  expect(plan.placement.get(2)).toBe(plan.placement.get(0));
  // b is still read by the last call.
  expect([plan.placement.get(1), plan.placement.get(2)]).not.toContain(plan.placement.get(3));
  expect(plan.buffers).toHaveLength(3);
});

test("kept values and values of another type keep their buffers", () => {
  const [a, b, c, words] = [value(0, 64), value(1, 64), value(2, 64), value(3, 64, "u32")];
  const calls = [call([], [a]), call([a], [b]), call([b], [words]), call([b], [c])];
  const plan = planMemory(calls, shape, new Set([0]));
  expect(plan.placement.get(2)).not.toBe(plan.placement.get(0));
  expect(plan.buffers[plan.placement.get(3) ?? -1].type).toBe("u32");
  expect(planMemory(calls, shape, new Set(), true).buffers).toHaveLength(4);
});

test("a free buffer that is too small grows rather than being joined by another", () => {
  const [a, b, c] = [value(0, 32), value(1, 32), value(2, 256)];
  const plan = planMemory([call([], [a]), call([a], [b]), call([b], [c])], shape, new Set());
  expect(plan.placement.get(2)).toBe(plan.placement.get(0));
  expect(plan.bytes).toBe(valueBytes(c, shape) + valueBytes(b, shape));
});

test("the least memory is found where the greedy plan takes more", () => {
  const [a, x, b, d] = [value(0, 128), value(1, 32), value(2, 32), value(3, 128)];
  // b takes a's room for the sake of its own, so that d finds too little.
  const calls = [call([], [a]), call([a], [x]), call([x], [b]), call([b], [d])];
  const bytes = (cols: number): number => valueBytes(value(9, cols), shape);
  expect(planMemory(calls, shape, new Set()).bytes).toBe(bytes(128) + bytes(128));
  expect(exactMemoryBytes(calls, shape, new Set())).toBe(bytes(128) + 2 * bytes(32));
  expect(exactMemoryBytes(calls, shape, new Set([0]))).toBe(2 * bytes(128) + bytes(32));
});
