// Matrix products with a weight in any format: gemv.ts for few activation rows, gemm.ts for many, skinny.ts between them, in the order that
// product_order.ts foretells.

import { gemmVariants } from "./gemm.ts";
import { gemvVariants } from "./gemv.ts";
import { lutVariants } from "./gemv_lut.ts";
import type { CpuArgs, CpuTensor, InputSpec, Kernel, KernelTarget, Variant } from "./kernel.ts";
import type { LinearAttributes } from "./matrix.ts";
import { type Family, productOrder } from "./product_order.ts";
import { dequantizeRows, quantizedSpecs } from "./quantize.ts";
import { skinnyVariants } from "./skinny.ts";
import { supports } from "./target.ts";
import { streamedBytes } from "./work.ts";

export type { LinearAttributes } from "./matrix.ts";

const families: Readonly<Record<Family, (attributes: LinearAttributes, target: KernelTarget) => readonly Variant[]>> = {
  gemv: gemvVariants,
  skinny: skinnyVariants,
  gemm: gemmVariants,
};

function variants(attributes: LinearAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target) || (target.precision === "int8") !== (attributes.activations === "int8")) return [];
  const products = productOrder(attributes, target).flatMap((family) => families[family](attributes, target));
  return [...products, ...lutVariants(attributes, target)];
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
};
