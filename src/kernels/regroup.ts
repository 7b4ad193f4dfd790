// Channels of query and key heads in an order that brings those of one size together, for keys whose channels share an exponent in groups:
// the products of queries and keys stay what they are.

import { rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";
import { streamedBytes } from "./work.ts";

export interface RegroupAttributes {
  readonly heads: number;
  /** Orders there are; heads / numKvHeads heads share one. */
  readonly numKvHeads: number;
  readonly headDim: number;
}

const workgroupSize = 64;

function variants({ heads, numKvHeads, headDim }: RegroupAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target)) return [];
  const stride = rowStride(heads * headDim);
  const consts = { WG: workgroupSize, STRIDE: stride, HEADS: heads, GROUP: heads / numKvHeads, D: headDim };
  return [
    {
      key: variantKey(target, "regroup", "kv_bfp4"),
      precision: target.precision,
      header: makeHeader(target, consts),
      files: ["regroup.wgsl"],
      bindings: [
        { name: "x", from: "input0", type: "array<act_t>", access: "read" },
        { name: "order", from: "table0", type: "array<u32>", access: "read" },
        { name: "y", from: "output0", type: "array<act_t>", access: "read_write" },
      ],
      usesStep: true,
      grid: (step) => [ceilDiv(stride, workgroupSize), step.rows, 1],
    },
  ];
}

/** y[row, head, i] = x[row, head, order[kv head, i]]; x, y [rows, heads * headDim], order [numKvHeads, headDim] words. */
export const regroup: Kernel<RegroupAttributes> = {
  name: "regroup",
  outputs: ({ heads, headDim }) => [{ rows: "rows", cols: heads * headDim, type: "act" }],
  variants,
  operands: ({ heads, numKvHeads, headDim }) => ({
    inputs: [{ rows: "rows", cols: heads * headDim, type: "act" }],
    lists: [{ length: numKvHeads * headDim, word: (rng) => rng.below(headDim) }],
  }),
  work: (attributes, step) => ({
    bytes: streamedBytes(regroup.operands(attributes), regroup.outputs(attributes), step),
    macs: 0,
  }),
};
