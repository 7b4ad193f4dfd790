// The last kernel of a decode step: the chosen tokens become the next step's input, without the CPU.

import { chosenFlag, chosenWords, stepHeaderWords, stepRowWords } from "../base/layout.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { makeHeader, variantKey } from "./target.ts";

export interface AdvanceAttributes {
  /** Most output rows of a step. */
  readonly rows: number;
}

function variants(_: AdvanceAttributes, target: KernelTarget): readonly Variant[] {
  const plain = { ...target, precision: "f32" } as const;
  return [
    {
      key: variantKey(plain, "advance"),
      precision: target.precision,
      header: makeHeader(plain, { HEADER_WORDS: stepHeaderWords, ROW_WORDS: stepRowWords }),
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

/**
 * For each output row whose flag is 0: the token of the row it was taken from becomes the id, its position grows by one. Where no flag
 * is 0, rows and output rows of the state become 0. Writes the step state, has no output.
 */
export const advance: Kernel<AdvanceAttributes> = {
  name: "advance",
  outputs: () => [],
  variants,
  operands: () => ({
    inputs: [
      {
        rows: "outputRows",
        cols: chosenWords,
        type: "u32",
        fill: (rng, _, col) => [rng.below(150_000), 7, rng.below(3) === 0 ? chosenFlag.stop : chosenFlag.ok, 3][col],
      },
    ],
  }),
  work: (_, step) => ({ bytes: 4 * step.outputRows * (chosenWords + 2), macs: 0 }),
};
