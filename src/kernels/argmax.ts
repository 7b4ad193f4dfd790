// The most likely token of each output row.

import type { CpuArgs, CpuTensor, Kernel, KernelTarget, Variant } from "./kernel.ts";
import { bitsOf, brokenRow, logitConsts, logitPart, logitRow, logitSpec } from "./logits.ts";
import { makeHeader, variantKey } from "./target.ts";
import { streamedBytes } from "./work.ts";

export interface ArgmaxAttributes {
  readonly cols: number;
}

/** Words of an output row: id, bits of its logit, flag (1: nothing to choose from), 0. */
export const argmaxWords = 4;

function variants({ cols }: ArgmaxAttributes, target: KernelTarget): readonly Variant[] {
  const cpu = target.deviceClass === "cpu";
  return [
    {
      key: variantKey({ ...target, precision: "f32" }, "argmax"),
      precision: target.precision,
      header: makeHeader({ ...target, precision: "f32" }, { ...logitConsts(cols), ...(!cpu && { WG: 256 }) }),
      files: [cpu ? "argmax_cpu.wgsl" : "argmax.wgsl", logitPart],
      bindings: [
        { name: "logits", from: "input0", type: "array<vec4<u32>>", access: "read" },
        { name: "y", from: "output0", type: "array<vec4<u32>>", access: "read_write" },
      ],
      usesStep: true,
      grid: (step) => [step.outputRows, 1, 1],
    },
  ];
}

function reference(_: ArgmaxAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [logits] = args.inputs;
  const data = new Float32Array(logits.rows * argmaxWords);
  const words = bitsOf(data);
  for (let row = 0; row < logits.rows; row++) {
    const values = logitRow(logits, row);
    if (brokenRow(values)) {
      words.set([0, 0, 1, 0], row * argmaxWords);
      continue;
    }
    let best = 0;
    for (const [col, value] of values.entries()) if (value > values[best]) best = col;
    words.set([best, bitsOf(values)[best], 0, 0], row * argmaxWords);
  }
  return [{ rows: logits.rows, cols: argmaxWords, data }];
}

/**
 * For each output row of f32 logits [outputRows, cols], the words (id, bits of the logit, flag, 0). The lowest id wins a tie.
 * The flag is 1, and the rest 0, when the row holds NaN or positive infinity, or no finite logit.
 */
export const argmax: Kernel<ArgmaxAttributes> = {
  name: "argmax",
  outputs: () => [{ rows: "outputRows", cols: argmaxWords, type: "u32" }],
  variants,
  reference,
  operands: ({ cols }) => ({ inputs: [logitSpec(cols)] }),
  work: (attributes, step) => ({
    bytes: streamedBytes(argmax.operands(attributes), argmax.outputs(attributes), step),
    macs: 0,
  }),
};
