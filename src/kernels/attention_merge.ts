// Joins the ranges that attention_decode computed.

import { rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { Rng } from "../base/rng.ts";
import { mergeReference, partialCols, type SplitAttributes } from "./attention.ts";
import { splitCases } from "./attention_decode.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";
import { activationBytes } from "./work.ts";

const cpuThreads = 16;
const gpuThreads = 128;

function variants(attributes: SplitAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target)) return [];
  const { kv, numHeads, splits, splitTokens } = attributes;
  const cpu = target.deviceClass === "cpu";
  const stride = rowStride(numHeads * kv.headDim) / 4;
  const consts = {
    WG: cpu ? cpuThreads : gpuThreads,
    HEADS: numHeads,
    D4: kv.headDim / 4,
    STRIDE: stride,
    SPLITS: splits,
    SPLIT_TOKENS: splitTokens,
    PARTIAL_STRIDE: partialCols(attributes) / 4,
  };
  return [
    {
      key: variantKey(target, "attention_merge"),
      precision: target.precision,
      header: makeHeader(target, consts),
      files: cpu ? ["attention_merge_cpu.wgsl"] : ["attention_merge.wgsl", "parts/reduce/workgroup.wgsl"],
      bindings: [
        { name: "partials", from: "input0", type: "array<vec4<f32>>", access: "read" },
        { name: "y", from: "output0", type: "array<vec4<act_t>>", access: "read_write" },
      ],
      usesStep: true,
      grid: (step) => (cpu ? [ceilDiv(stride, cpuThreads), step.rows, 1] : [numHeads, step.rows, 1]),
    },
  ];
}

/** Numbers like attention_decode's: any maximum, a positive sum. */
function fill({ kv }: SplitAttributes): (rng: Rng, row: number, col: number) => number {
  return (rng, _, col) => {
    const part = col % (kv.headDim + 4);
    if (part === 1) return 1 + 20 * rng.unit();
    return part === 0 ? 5 * rng.normal() : rng.normal();
  };
}

/** y = sum of exp(m - max) o over sum of exp(m - max) l, over the ranges of a row; y [rows, numHeads * headDim]. */
export const attentionMerge: Kernel<SplitAttributes> = {
  name: "attention_merge",
  outputs: ({ kv, numHeads }) => [{ rows: "rows", cols: numHeads * kv.headDim, type: "act" }],
  variants,
  reference: (attributes, args) => [mergeReference(attributes, args)],
  operands: (attributes) => ({ inputs: [{ rows: "rows", cols: partialCols(attributes), type: "f32", fill: fill(attributes) }] }),
  work: (attributes, step) => {
    const { kv, numHeads, splitTokens } = attributes;
    const partials = step.rows * numHeads * ceilDiv(step.contextTokens, splitTokens);
    return {
      bytes: 4 * partials * (kv.headDim + 4) + activationBytes(attentionMerge.outputs(attributes), step),
      macs: partials * kv.headDim,
    };
  },
  cases: splitCases,
};
