// Matrix products with a weight in any format: gemv.ts for few activation rows, gemm.ts for many.

import { bf16, f16, f32 } from "../formats/float.ts";
import type { WeightFormat } from "../formats/format.ts";
import { q4_0 } from "../formats/q4_0.ts";
import { q4_k } from "../formats/q4_k.ts";
import { q6_k } from "../formats/q6_k.ts";
import { q8_0 } from "../formats/q8_0.ts";
import { gemmCpu, gemmGpu } from "./gemm.ts";
import { gemvColumns, gemvVariants } from "./gemv.ts";
import type { CpuArgs, CpuTensor, InputSpec, Kernel, KernelCase, KernelTarget, Variant } from "./kernel.ts";
import type { LinearAttributes } from "./matrix.ts";
import { dequantizeRows, quantizedSpecs } from "./quantize.ts";
import { supports } from "./target.ts";
import { streamedBytes } from "./work.ts";

export type { LinearAttributes } from "./matrix.ts";

function variants(attributes: LinearAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target) || (target.precision === "int8") !== (attributes.activations === "int8")) return [];
  if (target.deviceClass === "cpu") return target.maxRows === 1 ? gemvVariants(attributes, target) : [gemmCpu(attributes, target)];
  // A prefill's head runs over one or few rows, whatever the chunk is.
  const few = target.maxRows <= gemvColumns || attributes.over === "outputRows";
  return few ? gemvVariants(attributes, target) : [gemmGpu(attributes, target)];
}

function reference({ n, k, outStart, outCols, bias, activations }: LinearAttributes, args: CpuArgs): readonly CpuTensor[] {
  const x = activations === "int8" ? dequantizeRows(args.inputs, k) : args.inputs[0];
  const [w] = args.weights;
  // NaN marks the columns that other parts of a split tensor write.
  const data = new Float32Array(x.rows * outCols).fill(Number.NaN);
  for (let row = 0; row < x.rows; row++) {
    for (let col = 0; col < n; col++) {
      let sum = 0;
      for (let i = 0; i < k; i++) sum += x.data[row * k + i] * w.data[col * k + i];
      data[row * outCols + outStart + col] = sum + (bias ? args.vectors[0][col] : 0);
    }
  }
  return [{ rows: x.rows, cols: outCols, data }];
}

function inputSpecs({ over, k, activations }: LinearAttributes): readonly InputSpec[] {
  if (activations !== "int8") return [{ rows: over, cols: k, type: "act" }];
  const [packed, scales] = quantizedSpecs({ over, cols: k });
  return [
    { ...packed, fill: (rng) => rng.below(0xffffffff) },
    { ...scales, fill: (rng) => (rng.unit() + 0.1) / 64 },
  ];
}

/** One case of a format; the rest is what most cases have. */
function caseOf(
  format: WeightFormat,
  shape: readonly [number, number, number],
  more: Partial<LinearAttributes> = {},
): KernelCase<LinearAttributes> {
  const [rows, n, k] = shape;
  const attributes = { format, k, n, bias: false, outStart: 0, outCols: n, over: "rows" as const, out: "act" as const, ...more };
  const details = [more.bias && "bias", more.outCols && "split", more.over && "output rows", more.activations].filter(Boolean);
  return {
    name: [`${format.name} ${rows}x${n}x${k}`, ...details].join(", "),
    attributes,
    rows: more.over === "outputRows" ? 11 : rows,
    ...(more.over === "outputRows" && { outputRows: rows }),
  };
}

/**
 * y[t, outStart + i] = sum_k x[t, k] w[i, k] (+ bias[i]), i < n; x [rows, k], weight [n, k], y [rows, outCols].
 * The part that ends at outCols also zeroes the padding of y. With int8 activations the inputs are the outputs of `quantize`.
 */
export const linear: Kernel<LinearAttributes> = {
  name: "linear",
  outputs: ({ over, outCols, out }) => [{ rows: over, cols: outCols, type: out }],
  variants,
  reference,
  operands: (attributes) => ({
    inputs: inputSpecs(attributes),
    weights: [{ format: attributes.format, rows: attributes.n, cols: attributes.k }],
    ...(attributes.bias && { vectors: [attributes.n] }),
  }),
  narrow: (attributes, rows) => {
    const { n, outStart } = attributes;
    const narrow = Math.min(n, rows);
    return {
      attributes: { ...attributes, n: narrow, outStart: 0, outCols: narrow },
      weightRow: (col) => (col >= outStart && col < outStart + n ? col - outStart : undefined),
    };
  },
  work: (attributes, step) => ({
    // A part of a split tensor writes its own columns.
    bytes: streamedBytes(linear.operands(attributes), linear.outputs({ ...attributes, outCols: attributes.n }), step),
    macs: step[attributes.over] * attributes.n * attributes.k,
  }),
  // Every format at few rows; at many rows some, as only decode32 differs and `embed` compares that alone.
  cases: [
    caseOf(f32, [1, 1, 1]),
    caseOf(f32, [1, 33, 172]),
    caseOf(f32, [33, 33, 33]),
    caseOf(f32, [67, 131, 100], { bias: true }),
    caseOf(f16, [1, 131, 33]),
    caseOf(bf16, [1, 131, 33]),
    caseOf(q8_0, [1, 1031, 288]),
    caseOf(q8_0, [3, 67, 1056], { bias: true }),
    caseOf(q4_0, [1, 521, 4096], { out: "f32", bias: true }),
    caseOf(q4_0, [8, 67, 288]),
    caseOf(q4_0, [67, 288, 288]),
    caseOf(q4_k, [1, 259, 2048]),
    caseOf(q4_k, [5, 67, 256]),
    caseOf(q4_k, [66, 71, 512]),
    caseOf(q6_k, [1, 259, 1280]),
    caseOf(q6_k, [5, 67, 256]),
    caseOf(q8_0, [1, 48, 64], { outStart: 24, outCols: 130 }),
    caseOf(q8_0, [20, 106, 64], { outStart: 24, outCols: 130 }),
    caseOf(q8_0, [1, 129, 64], { over: "outputRows", out: "f32" }),
    caseOf(q8_0, [10, 129, 64], { over: "outputRows", out: "f32" }),
    caseOf(f32, [1, 67, 172], { activations: "int8" }),
    caseOf(f16, [5, 67, 100], { activations: "int8" }),
    caseOf(q8_0, [1, 131, 288], { activations: "int8", bias: true }),
    caseOf(q8_0, [66, 67, 96], { activations: "int8" }),
    caseOf(q4_0, [1, 131, 2048], { activations: "int8" }),
    caseOf(q4_0, [5, 67, 288], { activations: "int8", over: "outputRows", out: "f32" }),
    caseOf(q4_k, [1, 131, 512], { activations: "int8" }),
    caseOf(q6_k, [1, 67, 512], { activations: "int8" }),
  ],
};
