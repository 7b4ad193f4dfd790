// Greedy choice: the most likely id of each output row.

import { type CpuArgs, type CpuTensor, type InputSpec, type Kernel } from "./kernel.ts";
import { bestFirst, bitsOf, brokenLogits, scanVariant, tiedLogits } from "./choose.ts";

export interface ArgmaxAttributes {
  /** Vocabulary size. */
  readonly cols: number;
  /** How test cases draw the logits. */
  readonly fill?: InputSpec["fill"];
}

const noIndex = 0xffffffff;

function reference({ cols }: ArgmaxAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [x] = args.inputs;
  const data = new Float32Array(x.rows * 4);
  const words = bitsOf(data);
  for (let row = 0; row < x.rows; row++) {
    const logits = x.data.subarray(row * cols, (row + 1) * cols);
    const [best] = bestFirst(logits, 1);
    const value = Float32Array.of(best === undefined ? -3.4e38 : logits[best]);
    words.set([best ?? noIndex, bitsOf(value)[0], best === undefined || logits.some(Number.isNaN) ? 1 : 0, 0], row * 4);
  }
  return [{ rows: x.rows, cols: 4, data }];
}

/**
 * y[r] = (id, bits of its logit, flag, 0) as u32; x f32 [output rows, cols]. The lowest id wins a tie. Flag 1: the row holds NaN
 * or nothing finite, and the id means nothing.
 */
export const argmax: Kernel<ArgmaxAttributes> = {
  name: "argmax",
  outputs: () => [{ rows: "outputRows", cols: 4, type: "u32" }],
  variants: ({ cols }, target) => scanVariant(target, { name: "argmax", cols, consts: {} }),
  reference,
  operands: ({ cols, fill }) => ({ inputs: [{ rows: "outputRows", cols, type: "f32", ...(fill && { fill }) }] }),
  cases: [
    { name: "1 column", attributes: { cols: 1 }, rows: 1 },
    { name: "33 columns of 5 rows", attributes: { cols: 33 }, rows: 7, outputRows: 5 },
    { name: "ties in 1031 columns", attributes: { cols: 1031, fill: tiedLogits }, rows: 3, outputRows: 3 },
    { name: "a vocabulary of 151936", attributes: { cols: 151936 }, rows: 1 },
    { name: "NaN and infinities", attributes: { cols: 300, fill: brokenLogits }, rows: 5, outputRows: 5 },
  ],
};
