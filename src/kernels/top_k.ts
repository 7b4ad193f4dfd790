// The most likely ids of each output row with what turns logits into log-probabilities.

import { assert } from "../base/errors.ts";
import { rowStride } from "../base/layout.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { logitConsts, logitPart, logitSpec } from "./logits.ts";
import { makeHeader, variantKey } from "./target.ts";
import { streamedBytes } from "./work.ts";

export interface TopKAttributes {
  /** Vocabulary size. */
  readonly cols: number;
  /** Ids wanted, up to 64. */
  readonly k: number;
}

/** Stands in for an id, and a logit, that a row lacks. */
export const noIndex = 0xffffffff;
export const lowest: number = Math.fround(-3.4e38);

function variants({ cols, k }: TopKAttributes, target: KernelTarget): readonly Variant[] {
  assert(k >= 1 && k <= 64, `top_k of ${k}`);
  const cpu = target.deviceClass === "cpu";
  const plain = { ...target, precision: "f32" } as const;
  const consts = { ...logitConsts(cols), K: k, Y_STRIDE: rowStride(2 * k + 4), LOWEST: { f32: lowest }, ...(!cpu && { WG: 256 }) };
  return [
    {
      key: variantKey(plain, "top_k"),
      precision: target.precision,
      header: makeHeader(plain, consts),
      files: [...(cpu ? ["top_k_cpu.wgsl"] : ["top_k.wgsl", "parts/reduce/workgroup.wgsl"]), logitPart],
      bindings: [
        { name: "logits", from: "input0", type: "array<vec4<u32>>", access: "read" },
        { name: "y", from: "output0", type: "array<u32>", access: "read_write" },
      ],
      usesStep: true,
      grid: (step) => [step.outputRows, 1, 1],
    },
  ];
}

/**
 * For each output row of f32 logits [outputRows, cols]: k ids as bits, their logits in falling order, the largest logit, the
 * logarithm of the sum of exponentials, the flag as bits, 0; f32 [outputRows, 2 k + 4]. The lowest id comes first in a tie.
 * Missing entries are id 0xffffffff and logit -3.4e38: all of them when the flag is 1: NaN, positive infinity, or nothing finite.
 */
export const topK: Kernel<TopKAttributes> = {
  name: "top_k",
  outputs: ({ k }) => [{ rows: "outputRows", cols: 2 * k + 4, type: "f32", exact: (col) => col !== 2 * k + 1 }],
  variants,
  operands: ({ cols }) => ({ inputs: [logitSpec(cols)] }),
  work: (attributes, step) => ({
    bytes: streamedBytes(topK.operands(attributes), topK.outputs(attributes), step),
    macs: 2 * step.outputRows * attributes.cols,
  }),
};
