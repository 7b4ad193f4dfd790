// The most likely ids of each output row with what turns logits into log-probabilities.

import { rowStride } from "../base/layout.ts";
import { bestFirst, bitsOf, brokenLogits, scanVariant, tiedLogits } from "./choose.ts";
import { type CpuArgs, type CpuTensor, type InputSpec, type Kernel } from "./kernel.ts";

export interface TopKAttributes {
  /** Vocabulary size. */
  readonly cols: number;
  /** Ids wanted, up to 64. */
  readonly k: number;
  /** How test cases draw the logits. */
  readonly fill?: InputSpec["fill"];
}

const noIndex = 0xffffffff;
const lowest = Math.fround(-3.4e38);

function reference({ cols, k }: TopKAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [x] = args.inputs;
  const width = 2 * k + 4;
  const data = new Float32Array(x.rows * width);
  const words = bitsOf(data);
  for (let row = 0; row < x.rows; row++) {
    const logits = x.data.subarray(row * cols, (row + 1) * cols);
    const best = bestFirst(logits, k);
    const max = best.length === 0 ? lowest : logits[best[0]];
    let sum = 0;
    for (const logit of logits) if (Number.isFinite(logit)) sum += Math.exp(logit - max);
    const base = row * width;
    for (let i = 0; i < k; i++) {
      words[base + i] = best[i] ?? noIndex;
      data[base + k + i] = i < best.length ? logits[best[i]] : lowest;
    }
    data[base + 2 * k] = max;
    data[base + 2 * k + 1] = best.length === 0 ? max : max + Math.log(sum);
    words[base + 2 * k + 2] = best.length === 0 || logits.some(Number.isNaN) ? 1 : 0;
  }
  return [{ rows: x.rows, cols: width, data }];
}

/**
 * y[r] = (k ids as bits, their logits descending, max, log sum exp, flag as bits, 0); x f32 [output rows, cols],
 * y f32 [output rows, 2 k + 4]. Flag as in argmax.
 */
export const topK: Kernel<TopKAttributes> = {
  name: "top_k",
  outputs: ({ k }) => [{ rows: "outputRows", cols: 2 * k + 4, type: "f32", exact: (col) => col < k || col === 2 * k + 2 }],
  variants: ({ cols, k }, target) => scanVariant(target, { name: "top_k", cols, consts: { K: k, Y_STRIDE: rowStride(2 * k + 4) } }),
  reference,
  operands: ({ cols, fill }) => ({ inputs: [{ rows: "outputRows", cols, type: "f32", ...(fill && { fill }) }] }),
  cases: [
    { name: "1 of 1", attributes: { cols: 1, k: 1 }, rows: 1 },
    { name: "5 of 33 in 5 rows", attributes: { cols: 33, k: 5 }, rows: 7, outputRows: 5 },
    { name: "20 tied of 1031", attributes: { cols: 1031, k: 20, fill: tiedLogits }, rows: 3, outputRows: 3 },
    { name: "64 of 151936", attributes: { cols: 151936, k: 64 }, rows: 1 },
    { name: "NaN and infinities", attributes: { cols: 300, k: 3, fill: brokenLogits }, rows: 5, outputRows: 5 },
  ],
};
