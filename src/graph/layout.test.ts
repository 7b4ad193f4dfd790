import { expect, test } from "vitest";
import { formatByGgufType } from "../testing/formats.ts";
import type { KernelCall, WeightRange } from "./call.ts";
import { placedBytes, planLayout, splitRows } from "./layout.ts";

const q8 = formatByGgufType.get(8);
if (!q8) throw new Error("Q8_0 is a format");

const visit: KernelCall["visit"] = () => expect.fail("planning asks for no kernel");

function call(weights: WeightRange[], vectors: KernelCall["vectors"] = []): KernelCall {
  const none = { inputs: [], outputs: [], tables: [], layer: undefined, outputSpecs: [], variants: () => [], reference: () => [], visit };
  return { kernel: "linear", name: "linear", weights, vectors, ...none };
}

function range(tensor: string, rows: number, group = tensor, rowStart = 0): WeightRange {
  return { tensor, ggufType: 8, cols: 64, rowStart, rows, group };
}

test("tensors of a group share a slab at aligned offsets; equal ranges are placed once", () => {
  const calls = [call([range("q", 20, "g")]), call([range("k", 12, "g")]), call([range("q", 20, "g")]), call([range("o", 8)])];
  const layout = planLayout(calls, formatByGgufType, 1 << 20);
  expect(layout.plan.slabs.map((slab) => slab.name)).toEqual(["g", "o", "vectors"]);
  const k = layout.matrix(range("k", 12, "g"));
  expect(k).toMatchObject({ slab: "g", byteOffset: placedBytes(q8, 20, 64), bytes: placedBytes(q8, 12, 64) });
  expect(k.byteOffset % 256).toBe(0);
});

test("a slab that would outgrow a binding goes on in another", () => {
  const bytes = placedBytes(q8, 64, 64);
  const layout = planLayout([call([range("q", 64, "g"), range("k", 64, "g")])], formatByGgufType, bytes);
  expect(layout.matrix(range("k", 64, "g"))).toMatchObject({ byteOffset: 0 });
  expect(layout.matrix(range("k", 64, "g")).slab).not.toBe(layout.matrix(range("q", 64, "g")).slab);
});

test("splits cover all rows, keep whole aligned row groups and never exceed the limit", () => {
  for (const maxBindingBytes of [20_000, 65_536, 100_000]) {
    const splits = splitRows({ format: q8, rows: 1003, cols: 64, maxBindingBytes });
    expect(splits[0][0]).toBe(0);
    expect(splits.at(-1)?.[1]).toBe(1003);
    splits.forEach(([start, end], index) => {
      expect(start % 128).toBe(0);
      expect(placedBytes(q8, end - start, 64)).toBeLessThanOrEqual(maxBindingBytes);
      if (index > 0) expect(start).toBe(splits[index - 1][1]);
    });
  }
});

test("vectors lie in one slab, padded and aligned", () => {
  const layout = planLayout(
    [
      call([], [{ tensor: "a", length: 33 }]),
      call(
        [],
        [
          { tensor: "b", length: 3 },
          { tensor: "a", length: 33 },
        ],
      ),
    ],
    formatByGgufType,
    1 << 20,
  );
  expect(layout.vector({ tensor: "a", length: 33 })).toEqual({ slab: "vectors", byteOffset: 0, bytes: 256 });
  expect(layout.vector({ tensor: "b", length: 3 })).toEqual({ slab: "vectors", byteOffset: 256, bytes: 256 });
});

test("a stack is one range: one codebook, then the row groups of its parts without a gap", () => {
  const iq2 = formatByGgufType.get(22) ?? expect.fail("IQ2_S is a format");
  const parts = [
    { tensor: "gate", rows: 172 },
    { tensor: "up", rows: 172 },
  ];
  const stack: WeightRange = { tensor: "gate", ggufType: 22, cols: 256, rowStart: 0, rows: 176 + 172, group: "gate", stack: parts };
  const layout = planLayout([call([stack]), call([stack]), call([range("q", 8)])], formatByGgufType, 1 << 20);
  expect(layout.plan.slabs.map((slab) => slab.name)).toEqual(["gate", "q", "vectors"]);
  const placed = layout.matrix(stack);
  expect(placed).toEqual({ slab: "gate", byteOffset: 0, bytes: placedBytes(iq2, 348, 256) });
  const [first, second] = layout.plan.slabs[0].parts;
  const groups = 22 * iq2.rowGroupBytes(256);
  expect(first).toEqual({ tensor: "gate", rowStart: 0, rows: 172, byteOffset: 0, bytes: (iq2.codebook?.length ?? 0) + groups });
  expect(second).toMatchObject({ tensor: "up", rows: 172, byteOffset: first.bytes, stacked: true });
  expect(first.bytes + second.bytes).toBe(placed.bytes);
  expect(() => layout.matrix({ ...stack, stack: parts.toReversed() })).toThrow();
});

test("biases of a stack lie where its rows do, one that is missing as zeros", () => {
  const stack = [
    { tensor: "q.bias", rows: 12 },
    { tensor: undefined, rows: 4 },
    { tensor: "v.bias", rows: 4 },
  ];
  const vector = { tensor: "q.bias", length: 28, stack };
  const layout = planLayout([call([], [{ tensor: "norm", length: 3 }, vector, vector])], formatByGgufType, 1 << 20);
  expect(layout.vector(vector)).toEqual({ slab: "vectors", byteOffset: 256, bytes: 256 });
  expect(layout.plan.slabs.at(-1)).toMatchObject({
    bytes: 512,
    parts: [
      { tensor: "norm", byteOffset: 0, bytes: 256 },
      { tensor: "q.bias", byteOffset: 256, bytes: 48, stacked: true },
      { tensor: "v.bias", byteOffset: 256 + 24 * 4, bytes: 16, stacked: true },
    ],
  });
});
