// What the attention kernels share: attributes, consts, parts and ranges. Softmax(q k^T scale) v with causal masking over
// the pages of each row's sequence, and what models change of it: windows, rules of scores, logits of sinks.

import { assert } from "../base/errors.ts";
import { isKvPageType } from "../base/kv_types.ts";
import { type KvLayout, rowStride } from "../base/layout.ts";
import { alignUp, ceilDiv } from "../base/math.ts";
import type { ConstValue } from "../gpu/shader.ts";
import type { KernelBinding, KernelTarget } from "./kernel.ts";
import { kvBindings, kvConsts, kvParts, supportsKv } from "./kv_layout.ts";
import { type OwnPage, pageConsts, pageReadBindings, pageReadParts, supportsPages } from "./kv_pages.ts";

/** A query sees the `window` newest keys up to its own position, and the first `sinks` (default none) of its sequence. arXiv:2309.17453 */
export interface WindowMask {
  readonly window: number;
  readonly sinks?: number;
}

/** What becomes of scaled products: `cap * tanh(product / cap)` (arXiv:2408.00118), or a bias for each head and distance (arXiv:2108.12409). */
export type ScoreRule = { readonly kind: "softcap"; readonly cap: number } | { readonly kind: "alibi" };

/** What attention is beyond softmax(q k^T scale) v over the whole past. */
export interface AttentionRules {
  readonly mask?: WindowMask;
  readonly score?: ScoreRule;
}

export interface AttentionAttributes extends AttentionRules {
  readonly kv: KvLayout;
  /** Query heads, a multiple of `kv.numKvHeads`. */
  readonly numHeads: number;
  /** Factor of the scores, usually 1 / sqrt(headDim). */
  readonly scale: number;
  /** The last vector [numHeads] is a logit of each head that takes its share of the softmax and has no value. arXiv:2508.10925 */
  readonly sinkLogits?: boolean;
}

/** Parts behind every attention shader. */
export function attentionParts(attributes: AttentionAttributes, target: KernelTarget, own: OwnPage): readonly string[] {
  const { kv, mask, score, sinkLogits } = attributes;
  return [
    ...(isKvPageType(kv.type) ? pageReadParts(own, kv.repair) : kvParts(kv, target)),
    mask ? "parts/mask/window.wgsl" : "parts/mask/causal.wgsl",
    `parts/score/${score?.kind ?? "scaled"}.wgsl`,
    "parts/scores.wgsl",
    sinkLogits ? "parts/sink/learned.wgsl" : "parts/sink/none.wgsl",
  ];
}

/** Keys and values as attention reads them, of every type. */
export function attentionBindings(kv: KvLayout, own: OwnPage): readonly KernelBinding[] {
  return isKvPageType(kv.type) ? pageReadBindings(own) : kvBindings("read", kv);
}

/** Whether attention reads the type. */
export function supportsCache(target: KernelTarget, kv: KvLayout): boolean {
  return isKvPageType(kv.type) ? supportsPages(target, kv) : supportsKv(target, kv);
}

/** The vector of sink logits, behind `before` others. */
export function sinkBindings({ sinkLogits }: AttentionAttributes, before = 0): readonly KernelBinding[] {
  return sinkLogits ? [{ name: "sinks", from: `vector${before}`, type: "array<f32>", access: "read" }] : [];
}

export function sinkVectors({ numHeads, sinkLogits }: AttentionAttributes): readonly number[] {
  return sinkLogits ? [numHeads] : [];
}

/** What a variant's key says of the rules. */
export function rulesKey({ mask, score, sinkLogits }: AttentionAttributes): readonly string[] {
  return [...(mask ? ["window"] : []), ...(score ? [score.kind] : []), ...(sinkLogits ? ["sinks"] : [])];
}

/** Keys that a query at the end of `tokens` sees. */
export function seenKeys({ mask }: AttentionAttributes, tokens: number): number {
  return mask ? Math.min(tokens, mask.window + (mask.sinks ?? 0)) : tokens;
}

/** Whether a query at `position` sees the key at `key`. */
export function sees({ mask }: AttentionRules, position: number, key: number): boolean {
  return key <= position && (!mask || key + mask.window > position || key < (mask.sinks ?? 0));
}

/** Heads of ALiBi that have slopes of one power of two; those behind them take every other slope of twice as many. */
function alibiHeads(numHeads: number): number {
  return 2 ** Math.floor(Math.log2(numHeads));
}

/** Slope of a head: the formula of parts/score/alibi.wgsl. */
export function alibiSlope(head: number, numHeads: number): number {
  const regular = alibiHeads(numHeads);
  return 2 ** ((-4 * (head < regular ? 2 * (head + 1) : 2 * (head - regular) + 1)) / regular);
}

function rulesConsts({ mask, score, numHeads }: AttentionAttributes): Record<string, ConstValue> {
  assert(!mask || mask.window > 0, "a window of no keys leaves queries without any");
  return {
    ...(mask && { MASK_WINDOW: mask.window, MASK_SINKS: mask.sinks ?? 0 }),
    ...(score?.kind === "softcap" && { SOFTCAP: { f32: score.cap } }),
    ...(score?.kind === "alibi" && { ALIBI_HEADS: alibiHeads(numHeads) }),
  };
}

/** A score that no key reaches: finite, since WGSL may drop infinities; exp(it - any real score) is 0. */
const lowestScore = -3e38;

export function attentionConsts(attributes: AttentionAttributes): Record<string, ConstValue> {
  const { kv, numHeads, scale } = attributes;
  assert(numHeads % kv.numKvHeads === 0, `${numHeads} query heads do not share ${kv.numKvHeads} kv heads evenly`);
  assert(kv.pageTokens % 8 === 0, `pages of ${kv.pageTokens} split the eight keys that kernels read together`);
  return {
    ...(isKvPageType(kv.type) ? pageConsts(kv) : kvConsts(kv)),
    ...rulesConsts(attributes),
    // Where full pages look different to the queries of later ones, a tile of queries lies in one page.
    PAGE_ALIGNED: isKvPageType(kv.type),
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
  /** Newest positions that are cut, where a mask lets no more be seen. */
  readonly window?: number;
}

/** WGSL of the functions below: `range_first`, `range_tokens` and `active_ranges`. */
export function rangesPart({ window }: Ranges): string {
  return window === undefined ? "parts/ranges/bounded.wgsl" : "parts/ranges/window.wgsl";
}

export function rangesConsts({ splits, splitTokens, window }: Ranges): Record<string, number> {
  return { SPLITS: splits, SPLIT_TOKENS: splitTokens, ...(window !== undefined && { RANGE_WINDOW: window }) };
}

/** Where the first range begins, a multiple of 8. */
export function rangeFirst(position: number, { window }: Ranges): number {
  return window === undefined ? 0 : Math.floor(Math.max(0, position + 1 - window) / 8) * 8;
}

/** Positions of a range, a multiple of 8, for a row at `position`. */
export function rangeTokens(position: number, ranges: Ranges): number {
  const { splits, splitTokens } = ranges;
  return Math.max(splitTokens, alignUp(ceilDiv(position + 1 - rangeFirst(position, ranges), splits), 8));
}

/** Ranges that hold keys for a row at `position`: 1 to `splits`. Not monotonic, for ranges grow. */
export function activeRanges(position: number, ranges: Ranges): number {
  return Math.floor((position - rangeFirst(position, ranges)) / rangeTokens(position, ranges)) + 1;
}

/** Positions of a context that are cut at most: a window and what aligns its start. */
export function rangedTokens(contextTokens: number, { window }: Pick<Ranges, "window">): number {
  return window === undefined ? contextTokens : Math.min(contextTokens, window + 7);
}

/** The bound of `activeRanges` over all positions of a context: what grids have to cover. */
export function mostRanges(contextTokens: number, ranges: Ranges): number {
  return Math.min(ranges.splits, ceilDiv(rangedTokens(contextTokens, ranges), ranges.splitTokens));
}

/** Attention cut into ranges. */
export interface SplitAttributes extends AttentionAttributes, Ranges {}

/** Columns of a row of partials: (max, sum, 0, 0, headDim sums) for each head and split, padded like an activation. */
export function partialCols({ kv, numHeads, splits }: SplitAttributes): number {
  return rowStride(numHeads * splits * (kv.headDim + 4));
}
