// Adds up what linear_split.ts summed side by side.

import { rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import { type Quantized, codesKey, rowBindings, rowConsts, rowFiles, rowOutputs, rowResults, rowThreads, takesCodes } from "./codes.ts";
import type { CpuArgs, CpuTensor, Kernel, KernelBinding, KernelTarget, Variant } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";
import { streamedBytes } from "./work.ts";

export interface LinearMergeAttributes {
  /** Columns, a multiple of 4. */
  readonly cols: number;
  readonly splits: number;
  readonly bias: boolean;
  readonly over: "rows" | "outputRows";
  readonly quantized?: Quantized;
}

const workgroupSize = 64;

function variants({ cols, splits, bias, over, quantized }: LinearMergeAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target) || !takesCodes(target, quantized)) return [];
  const rows = { cols, over, quantized };
  const inputs: readonly KernelBinding[] = [{ name: "partials", from: "input0", type: "array<vec4<f32>>", access: "read" }];
  const biases: readonly KernelBinding[] = bias ? [{ name: "bias", from: "vector0", type: "array<vec4<f32>>", access: "read" }] : [];
  return [
    {
      key: variantKey(target, "linear_merge", ...codesKey(quantized)),
      precision: target.precision,
      header: makeHeader(target, {
        WG: workgroupSize,
        ...rowConsts(rows),
        N4: cols / 4,
        SPLITS: splits,
        PARTIAL_STRIDE: rowStride(splits * cols) / 4,
        OVER_OUTPUT_ROWS: over === "outputRows",
        Y_F16: target.precision === "f16",
      }),
      files: ["linear_merge.wgsl", `parts/addend/${bias ? "bias" : "none"}.wgsl`, ...rowFiles(quantized, target), "parts/block32.wgsl"],
      bindings: [...inputs, ...biases, ...rowBindings(quantized)],
      usesStep: true,
      grid: (step) => [ceilDiv(rowThreads(rows, target), workgroupSize), step[over], 1],
    },
  ];
}

function reference({ cols, splits, bias, quantized }: LinearMergeAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [{ rows, data }] = args.inputs;
  const sums = Float32Array.from({ length: rows * cols }, (_, index) => {
    const [row, col] = [Math.floor(index / cols), index % cols];
    let sum = bias ? args.vectors[0][col] : 0;
    for (let split = 0; split < splits; split++) sum += data[(row * splits + split) * cols + col];
    return sum;
  });
  return rowResults({ rows, cols, data: sums }, quantized);
}

/** y[t, i] = sum over s of partials[t, s cols + i] (+ bias[i]); partials f32 [rows, splits cols], y [rows, cols]. */
export const linearMerge: Kernel<LinearMergeAttributes> = {
  name: "linear_merge",
  outputs: (attributes) => rowOutputs(attributes),
  variants,
  reference,
  operands: ({ cols, splits, bias, over }) => ({
    inputs: [{ rows: over, cols: splits * cols, type: "f32" }],
    ...(bias && { vectors: [cols] }),
  }),
  work: (attributes, step) => ({
    bytes: streamedBytes(linearMerge.operands(attributes), linearMerge.outputs(attributes), step),
    macs: step[attributes.over] * attributes.cols * attributes.splits,
  }),
};
