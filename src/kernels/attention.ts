// What the attention kernels share: attributes, consts, parts and the reference. Softmax(q k^T scale) v with causal masking over
// the pages of each row's sequence.

import { assert } from "../base/errors.ts";
import { type KvLayout, rowStride } from "../base/layout.ts";
import { alignUp, ceilDiv } from "../base/math.ts";
import type { ConstValue } from "../gpu/shader.ts";
import type { CpuArgs, CpuTensor } from "./kernel.ts";
import { kvConsts, kvIndex, kvPart } from "./kv_layout.ts";

export interface AttentionAttributes {
  readonly kv: KvLayout;
  /** Query heads, a multiple of `kv.numKvHeads`. */
  readonly numHeads: number;
  /** Factor of the scores, usually 1 / sqrt(headDim). */
  readonly scale: number;
}

/** Parts behind every attention shader. */
export const attentionParts: readonly string[] = [kvPart, "parts/mask/causal.wgsl", "parts/score/scaled.wgsl"];

/** A score that no key reaches: finite, since WGSL may drop infinities; exp(it - any real score) is 0. */
const lowestScore = -3e38;

export function attentionConsts({ kv, numHeads, scale }: AttentionAttributes): Record<string, ConstValue> {
  assert(numHeads % kv.numKvHeads === 0, `${numHeads} query heads do not share ${kv.numKvHeads} kv heads evenly`);
  assert(kv.pageTokens % 8 === 0, `pages of ${kv.pageTokens} split the eight keys that kernels read together`);
  return {
    ...kvConsts(kv),
    HEADS: numHeads,
    GROUP: numHeads / kv.numKvHeads,
    STRIDE: rowStride(numHeads * kv.headDim) / 4,
    SCALE: { f32: scale },
    LOWEST: { f32: lowestScore },
  };
}

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
export function attentionReference(attributes: AttentionAttributes, args: CpuArgs): CpuTensor {
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

/** How decode cuts the past into ranges that run side by side. */
export interface Ranges {
  /** Most ranges. */
  readonly splits: number;
  /** Least positions of a range, a multiple of 8; ranges grow where `splits` of them do not hold the past. */
  readonly splitTokens: number;
}

/** WGSL of the functions below, `range_tokens` and `active_ranges`; consts SPLITS, SPLIT_TOKENS. */
export const rangesPart = "parts/ranges/bounded.wgsl";

/** Positions of a range, a multiple of 8, for a row at `position`. */
export function rangeTokens(position: number, { splits, splitTokens }: Ranges): number {
  return Math.max(splitTokens, alignUp(ceilDiv(position + 1, splits), 8));
}

/** Ranges that hold keys for a row at `position`: 1 to `splits`. Not monotonic, for ranges grow. */
export function activeRanges(position: number, ranges: Ranges): number {
  return Math.floor(position / rangeTokens(position, ranges)) + 1;
}

/** The bound of `activeRanges` over all positions of a context: what grids have to cover. */
export function mostRanges(contextTokens: number, { splits, splitTokens }: Ranges): number {
  return Math.min(splits, ceilDiv(contextTokens, splitTokens));
}

/** Attention cut into ranges. */
export interface SplitAttributes extends AttentionAttributes, Ranges {}

/** Columns of a row of partials: (max, sum, 0, 0, headDim sums) for each head and split, padded like an activation. */
export function partialCols({ kv, numHeads, splits }: SplitAttributes): number {
  return rowStride(numHeads * splits * (kv.headDim + 4));
}

/** The partials of every row; ranges past a row's position are left alone (NaN). Input 0: queries [rows, numHeads * headDim]. */
export function partialsReference(attributes: SplitAttributes, args: CpuArgs): CpuTensor {
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
export function mergeReference(attributes: SplitAttributes, args: CpuArgs): CpuTensor {
  const { numHeads, kv, splits } = attributes;
  const cols = numHeads * kv.headDim;
  const [partials] = args.inputs;
  const data = new Float32Array(args.rows.length * cols);
  for (const [row, { position }] of args.rows.entries()) {
    const active = activeRanges(position, attributes);
    for (let head = 0; head < numHeads; head++) {
      const entries = Array.from({ length: active }, (_, split) => {
        const at = row * partials.cols + (head * splits + split) * (kv.headDim + 4);
        return partials.data.subarray(at, at + kv.headDim + 4);
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
