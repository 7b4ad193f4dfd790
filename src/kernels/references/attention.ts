// What the attention kernels should give, in float64: softmax(q k^T scale) v with causal masking, whole, in ranges, and joined.

import { assert } from "../../base/errors.ts";
import { isKvPageType } from "../../base/kv_types.ts";
import {
  type AttentionAttributes,
  activeRanges,
  alibiSlope,
  partialCols,
  rangeFirst,
  rangeTokens,
  sees,
  type SplitAttributes,
} from "../attention.ts";
import type { DecodeAttributes } from "../attention_decode.ts";
import type { MergeAttributes } from "../attention_merge.ts";
import type { PrefillAttributes } from "../attention_prefill.ts";
import type { CpuArgs, CpuKv, CpuTensor } from "../kernel.ts";
import { rowResults } from "./codes.ts";
import { headsReference } from "./heads.ts";
import { kvIndex } from "./kv.ts";
import { quantizedPages } from "./kv_pages.ts";

/** The score of a product, for keys that are `distance` before the query. */
function scoreOf({ scale, score, numHeads }: AttentionAttributes, at: { dot: number; head: number; distance: number }): number {
  const scaled = at.dot * scale;
  if (score?.kind === "softcap") return score.cap * Math.tanh(scaled / score.cap);
  return score?.kind === "alibi" ? scaled - alibiSlope(at.head, numHeads) * at.distance : scaled;
}

/** Max, sum and unnormalised output of one query head over the keys [start, end) that its row sees; sinks count in the first. */
interface Partial {
  readonly max: number;
  readonly sum: number;
  readonly output: Float64Array;
}

/** The cache that holds the key at `position` as the query at `own` sees it. */
type SeenKv = (own: number, position: number) => CpuKv;

/** Types that quantize full pages show queries only their own as it was made. */
function seenBy({ kv: layout }: AttentionAttributes, { kv, rows }: CpuArgs): SeenKv {
  assert(kv, "attention needs a cache");
  if (!isKvPageType(layout.type)) return () => kv;
  const older = quantizedPages(kv, layout, rows);
  const pageOf = (position: number): number => Math.floor(position / layout.pageTokens);
  return (own, position) => (pageOf(own) === pageOf(position) ? kv : older);
}

function attendRange(
  attributes: AttentionAttributes,
  args: CpuArgs,
  at: { row: number; head: number; start: number; end: number; first: boolean; seenKv: SeenKv },
): Partial {
  const { kv: layout, numHeads, sinkLogits } = attributes;
  const { headDim } = layout;
  const { row, head, start, end, first, seenKv } = at;
  const { slot, position: ownPosition } = args.rows[row];
  const kvHead = Math.floor(head / (numHeads / layout.numKvHeads));
  const q = args.inputs[0].data.subarray((row * numHeads + head) * headDim, (row * numHeads + head + 1) * headDim);
  const seen = Array.from({ length: end - start }, (_, index) => start + index).filter((position) =>
    sees(attributes, ownPosition, position),
  );
  const scores = seen.map((position) => {
    const kv = seenKv(ownPosition, position);
    const key = kvIndex(kv, layout, { slot, position, head: kvHead });
    let dot = 0;
    for (let d = 0; d < headDim; d++) dot += q[d] * kv.keys[key + d];
    return scoreOf(attributes, { dot, head, distance: ownPosition - position });
  });
  const sink = sinkLogits && first ? args.vectors[args.vectors.length - 1][head] : Number.NEGATIVE_INFINITY;
  const max = scores.reduce((a, b) => Math.max(a, b), sink);
  const output = new Float64Array(headDim);
  let sum = Math.exp(sink - max);
  for (const [index, position] of seen.entries()) {
    const kv = seenKv(ownPosition, position);
    const weight = Math.exp(scores[index] - max);
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
  const seenKv = seenBy(attributes, args);
  for (const [row, { position }] of args.rows.entries()) {
    for (let head = 0; head < numHeads; head++) {
      const { sum, output } = attendRange(attributes, args, { row, head, start: 0, end: position + 1, first: true, seenKv });
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
  const seenKv = seenBy(attributes, args);
  for (const [row, { position }] of args.rows.entries()) {
    const tokens = rangeTokens(position, attributes);
    const base = rangeFirst(position, attributes);
    for (let head = 0; head < numHeads; head++) {
      for (let split = 0; base + split * tokens <= position; split++) {
        const end = Math.min(position + 1, base + (split + 1) * tokens);
        // The first range has what comes before the others, too.
        const start = split === 0 ? 0 : base + split * tokens;
        const { max, sum, output } = attendRange(attributes, args, { row, head, start, end, first: split === 0, seenKv });
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
