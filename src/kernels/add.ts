// The residual sum of two activations.

import { rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";
import { streamedBytes } from "./work.ts";

export interface AddAttributes {
  readonly cols: number;
}

const workgroupSize = 64;

function variants({ cols }: AddAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target)) return [];
  const stride = rowStride(cols) / 4;
  return [
    {
      key: variantKey(target, "add"),
      precision: target.precision,
      header: makeHeader(target, { WG: workgroupSize, STRIDE: stride }),
      files: ["add.wgsl"],
      bindings: [
        { name: "a", from: "input0", type: "array<vec4<act_t>>", access: "read" },
        { name: "b", from: "input1", type: "array<vec4<act_t>>", access: "read" },
        { name: "y", from: "output0", type: "array<vec4<act_t>>", access: "read_write" },
      ],
      usesStep: true,
      grid: (step) => [ceilDiv(stride, workgroupSize), step.rows, 1],
    },
  ];
}

/** y = a + b over activations [rows, cols]. */
export const add: Kernel<AddAttributes> = {
  name: "add",
  outputs: ({ cols }) => [{ rows: "rows", cols, type: "act" }],
  variants,
  operands: ({ cols }) => ({
    inputs: [
      { rows: "rows", cols, type: "act" },
      { rows: "rows", cols, type: "act" },
    ],
  }),
  work: (attributes, step) => ({
    bytes: streamedBytes(add.operands(attributes), add.outputs(attributes), step),
    macs: step.rows * attributes.cols,
  }),
};
