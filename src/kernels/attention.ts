// What the attention kernels share: attributes, consts, parts and ranges. Softmax(q k^T scale) v with causal masking over
// the pages of each row's sequence.

import { assert } from "../base/errors.ts";
import { type KvLayout, rowStride } from "../base/layout.ts";
import { alignUp, ceilDiv } from "../base/math.ts";
import type { ConstValue } from "../gpu/shader.ts";
import type { KernelTarget } from "./kernel.ts";
import { kvConsts, kvParts } from "./kv_layout.ts";

export interface AttentionAttributes {
  readonly kv: KvLayout;
  /** Query heads, a multiple of `kv.numKvHeads`. */
  readonly numHeads: number;
  /** Factor of the scores, usually 1 / sqrt(headDim). */
  readonly scale: number;
}

/** Parts behind every attention shader. */
export function attentionParts({ kv }: AttentionAttributes, target: KernelTarget): readonly string[] {
  return [...kvParts(kv, target), "parts/mask/causal.wgsl", "parts/score/scaled.wgsl"];
}

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
