// The last kernel of a greedy step: the chosen tokens become the next step's input, without the CPU.

import { stepHeaderWords, stepRowWords } from "../base/layout.ts";
import { argmaxWords } from "./argmax.ts";
import type { CpuArgs, CpuTensor, Kernel, KernelTarget, Variant } from "./kernel.ts";
import { bitsOf } from "./logits.ts";
import { makeHeader, variantKey } from "./target.ts";

export interface AdvanceAttributes {
  /** Most output rows of a step. */
  readonly rows: number;
}

const workgroupSize = 32;

function variants(_: AdvanceAttributes, target: KernelTarget): readonly Variant[] {
  const plain = { ...target, precision: "f32" } as const;
  return [
    {
      key: variantKey(plain, "advance"),
      precision: target.precision,
      header: makeHeader(plain, { WG: workgroupSize, HEADER_WORDS: stepHeaderWords, ROW_WORDS: stepRowWords }),
      files: ["advance.wgsl"],
      bindings: [
        { name: "chosen", from: "input0", type: "array<vec4<u32>>", access: "read" },
        { name: "state", from: "state", type: "array<u32>", access: "read_write" },
      ],
      // The state is bound as storage here, and a buffer cannot be both in one dispatch.
      usesStep: false,
      grid: () => [1, 1, 1],
    },
  ];
}

function reference(_: AdvanceAttributes, args: CpuArgs): readonly CpuTensor[] {
  const chosen = bitsOf(args.inputs[0].data);
  const words = Uint32Array.from(args.rows.flatMap(({ token, position, slot }) => [token, position, slot]));
  for (const [index, row] of args.outputRows.entries()) {
    const [id, , flag] = chosen.subarray(index * argmaxWords);
    if (flag !== 0) continue;
    words[row * 3] = id;
    words[row * 3 + 1] += 1;
  }
  return [{ rows: args.rows.length, cols: 3, data: new Float32Array(words.buffer) }];
}

/**
 * For each output row whose flag is 0: the token of the row it was taken from becomes argmax's id, its position grows by one.
 * Writes the step state, has no output.
 */
export const advance: Kernel<AdvanceAttributes> = {
  name: "advance",
  outputs: () => [],
  variants,
  reference,
  operands: () => ({
    inputs: [
      {
        rows: "outputRows",
        cols: argmaxWords,
        type: "u32",
        fill: (rng, row, col) => [rng.below(150000), 7, row % 3 === 2 ? 1 : 0, 0][col],
      },
    ],
  }),
  work: (_, step) => ({ bytes: 4 * step.outputRows * (argmaxWords + 2), macs: 0 }),
};
