// What the attention kernels should give, in float64: softmax(q k^T scale) v with causal masking, whole, in ranges, and joined.

import { assert } from "../../base/errors.ts";
import { type AttentionAttributes, activeRanges, partialCols, rangeTokens, type SplitAttributes } from "../attention.ts";
import type { DecodeAttributes } from "../attention_decode.ts";
import type { MergeAttributes } from "../attention_merge.ts";
import type { PrefillAttributes } from "../attention_prefill.ts";
import type { CpuArgs, CpuTensor } from "../kernel.ts";
import { rowResults } from "./codes.ts";
import { headsReference } from "./heads.ts";
import { kvIndex } from "./kv.ts";

/** Max, sum and unnormalised output of one query head over the keys [start, end). */
interface Partial {
  readonly max: number;
  readonly sum: number;
  readonly output: Float64Array;
}

function attendRange(
  attributes: AttentionAttributes,
  args: CpuArgs,
  at: { row: number; head: number; start: number; end: number },
): Partial {
  const { kv: layout, numHeads, scale } = attributes;
  const { headDim } = layout;
  const { row, head, start, end } = at;
  const { kv } = args;
  assert(kv, "attention needs a cache");
  const { slot } = args.rows[row];
  const kvHead = Math.floor(head / (numHeads / layout.numKvHeads));
  const q = args.inputs[0].data.subarray((row * numHeads + head) * headDim, (row * numHeads + head + 1) * headDim);
  const scores = new Float64Array(end - start);
  for (let position = start; position < end; position++) {
    const key = kvIndex(kv, layout, { slot, position, head: kvHead });
    let dot = 0;
    for (let d = 0; d < headDim; d++) dot += q[d] * kv.keys[key + d];
    scores[position - start] = dot * scale;
  }
  const max = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const output = new Float64Array(headDim);
  let sum = 0;
  for (let position = start; position < end; position++) {
    const weight = Math.exp(scores[position - start] - max);
    const value = kvIndex(kv, layout, { slot, position, head: kvHead });
    sum += weight;
    for (let d = 0; d < headDim; d++) output[d] += weight * kv.values[value + d];
  }
  return { max, sum, output };
}

/** Attention of every row over its whole past, itself included. */
function wholeAttention(attributes: AttentionAttributes, args: CpuArgs): CpuTensor {
  const { numHeads, kv } = attributes;
  const cols = numHeads * kv.headDim;
  const data = new Float32Array(args.rows.length * cols);
  for (const [row, { position }] of args.rows.entries()) {
    for (let head = 0; head < numHeads; head++) {
      const { sum, output } = attendRange(attributes, args, { row, head, start: 0, end: position + 1 });
      for (let d = 0; d < kv.headDim; d++) data[row * cols + head * kv.headDim + d] = output[d] / sum;
    }
  }
  return { rows: args.rows.length, cols, data };
}

/** The partials of every row; ranges past a row's position are left alone (NaN). Input 0: queries [rows, numHeads * headDim]. */
function partials(attributes: SplitAttributes, args: CpuArgs): CpuTensor {
  const { numHeads, kv, splits } = attributes;
  const cols = partialCols(attributes);
  const data = new Float32Array(args.rows.length * cols).fill(Number.NaN);
  for (const [row, { position }] of args.rows.entries()) {
    const tokens = rangeTokens(position, attributes);
    for (let head = 0; head < numHeads; head++) {
      for (let split = 0; split * tokens <= position; split++) {
        const end = Math.min(position + 1, (split + 1) * tokens);
        const { max, sum, output } = attendRange(attributes, args, { row, head, start: split * tokens, end });
        const at = row * cols + (head * splits + split) * (kv.headDim + 4);
        data.set([max, sum, 0, 0], at);
        data.set(output, at + 4);
      }
    }
  }
  return { rows: args.rows.length, cols, data };
}

/** Partials to outputs: sum of exp(m - max) o over sum of exp(m - max) l. */
function joined(attributes: SplitAttributes, args: CpuArgs): CpuTensor {
  const { numHeads, kv, splits } = attributes;
  const cols = numHeads * kv.headDim;
  const [parts] = args.inputs;
  const data = new Float32Array(args.rows.length * cols);
  for (const [row, { position }] of args.rows.entries()) {
    const active = activeRanges(position, attributes);
    for (let head = 0; head < numHeads; head++) {
      const entries = Array.from({ length: active }, (_, split) => {
        const at = row * parts.cols + (head * splits + split) * (kv.headDim + 4);
        return parts.data.subarray(at, at + kv.headDim + 4);
      });
      const max = Math.max(...entries.map(([m]) => m));
      const sum = entries.reduce((total, [m, l]) => total + Math.exp(m - max) * l, 0);
      for (let d = 0; d < kv.headDim; d++) {
        const total = entries.reduce((partial, entry) => partial + Math.exp(entry[0] - max) * entry[4 + d], 0);
        data[row * cols + head * kv.headDim + d] = total / sum;
      }
    }
  }
  return { rows: args.rows.length, cols, data };
}

export function prefillReference(attributes: PrefillAttributes, args: CpuArgs): readonly CpuTensor[] {
  return rowResults(wholeAttention(attributes, args), attributes.quantized);
}

export function mergeReference(attributes: MergeAttributes, args: CpuArgs): readonly CpuTensor[] {
  return rowResults(joined(attributes, args), attributes.quantized);
}

export function decodeReference(attributes: DecodeAttributes, args: CpuArgs): readonly CpuTensor[] {
  const { prologue } = attributes;
  return [partials(attributes, prologue ? { ...args, inputs: headsReference(prologue, args) } : args)];
}
