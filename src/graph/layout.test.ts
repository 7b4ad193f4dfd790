import { expect, test } from "vitest";
import { formatByGgufType } from "../testing/formats.ts";
import type { KernelCall, WeightRange } from "./call.ts";
import { placedBytes, planLayout, splitRows } from "./layout.ts";

const q8 = formatByGgufType.get(8);
if (!q8) throw new Error("Q8_0 is a format");

const visit: KernelCall["visit"] = () => expect.fail("planning asks for no kernel");

function call(weights: WeightRange[], vectors: KernelCall["vectors"] = []): KernelCall {
  const none = { inputs: [], outputs: [], tables: [], layer: undefined, outputSpecs: [], variants: () => [], visit };
  return { kernel: "linear", name: "linear", weights, vectors, ...none };
}

function range(tensor: string, rows: number, rowStart = 0): WeightRange {
  return { tensor, ggufType: 8, cols: 64, rowStart, rows };
}

test("each range has a slab of its own; equal ranges are placed once", () => {
  const calls = [call([range("q", 20)]), call([range("k", 12)]), call([range("q", 20)]), call([range("o", 8, 128)])];
  const layout = planLayout(calls, formatByGgufType, 1 << 20);
  expect(layout.plan.slabs.map((slab) => slab.name)).toEqual(["q[0+20]", "k[0+12]", "o[128+8]", "vectors"]);
  expect(layout.matrix(range("k", 12))).toEqual({ slab: "k[0+12]", byteOffset: 0, bytes: placedBytes(q8, 12, 64) });
  expect(layout.plan.bytes).toBe(layout.plan.slabs.reduce((sum, { bytes }) => sum + bytes, 0));
});

test("what would outgrow a binding is a mistake of the caller", () => {
  expect(() => planLayout([call([range("q", 64)])], formatByGgufType, placedBytes(q8, 64, 64) - 1)).toThrow();
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
  const stack: WeightRange = { tensor: "gate", ggufType: 22, cols: 256, rowStart: 0, rows: 176 + 172, stack: parts };
  const layout = planLayout([call([stack]), call([stack]), call([range("q", 8)])], formatByGgufType, 1 << 20);
  expect(layout.plan.slabs.map((slab) => slab.name)).toEqual(["gate[0+348]|gate:172|up:172", "q[0+8]", "vectors"]);
  const placed = layout.matrix(stack);
  expect(placed).toEqual({ slab: layout.plan.slabs[0].name, byteOffset: 0, bytes: placedBytes(iq2, 348, 256) });
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
