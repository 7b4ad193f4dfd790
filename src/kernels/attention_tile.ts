// The tile of attention_prefill for GPUs: how many pairs of a query and a head share a tile of keys, chosen by counted bytes from the
// workgroup memory and the length of a head. No shader, no device.

import { assert } from "../base/errors.ts";
import { ceilDiv } from "../base/math.ts";

/** Keys of a tile; the shader's mapping of threads relies on it. Of 64, no more pairs would fit beside them, and as many bytes move. */
export const tileKeys = 32;

/** Dimensions of a chunk of a head. */
const chunkDims = 32;

/** vec4 from one row of a chunk to the next in workgroup memory: one more than it has, so that rows fall into different banks. */
const pitch = chunkDims / 4 + 1;

/** What a tile is chosen for. */
export interface TileNeed {
  readonly headDim: number;
  /** Query heads that share a kv head. */
  readonly group: number;
  readonly maxThreads: number;
  readonly workgroupBytes: number;
  /** Most queries of a step. */
  readonly maxRows: number;
  /** Set, the queries of a tile are of one page of so many tokens. */
  readonly pageTokens?: number;
}

export interface AttentionTile {
  /** Pairs of a query and a head that share tiles of keys and values, at least `queries * heads`. */
  readonly pairs: number;
  readonly queries: number;
  /** Query heads of a kv head. */
  readonly heads: number;
  /** Whether queries stay in workgroup memory; else chunks of them are read again for each tile of keys. */
  readonly resident: boolean;
  /** Pairs of a thread. */
  readonly rows: number;
  readonly threads: number;
  /** vec4 of queries and probabilities in workgroup memory. */
  readonly fours: number;
}

/** Most query heads of a tile: more would leave it few queries, whose pasts differ little. */
const mostHeads = 16;

function tileOf(need: TileNeed, pairs: number, resident: boolean): AttentionTile {
  const { headDim, group, pageTokens } = need;
  const chunks = ceilDiv(headDim, chunkDims);
  const heads = ceilDiv(group, ceilDiv(group, mostHeads));
  const fitting = Math.floor(pairs / heads);
  const queries = pageTokens === undefined ? fitting : Math.min(2 ** Math.floor(Math.log2(fitting)), pageTokens);
  // Four pairs a thread; two where the outputs of a head this long would not fit its registers.
  const rows = headDim > 128 ? 2 : 4;
  // Probabilities take the place of queries that are read again.
  const fours = pairs * (resident ? chunks * (pitch - 1) + 1 + pitch : pitch);
  return { pairs, queries, heads, resident, rows, threads: (8 * pairs) / rows, fours };
}

/** Workgroup memory of a tile: queries and probabilities, a chunk of keys or values, one number for each pair and lane across, codes' maxima. */
export function tileBytes({ pairs, fours, threads }: AttentionTile): number {
  return 16 * (fours + tileKeys * pitch) + 4 * pairs * 8 + 4 * threads;
}

/**
 * Words that a workgroup reads for each pair and key: keys and values once for a tile, queries once for each tile of keys unless they stay.
 * A tile that is not full counts as what it has.
 */
export function wordsOfPair({ queries, heads, resident }: AttentionTile, headDim: number): number {
  const full = queries * heads;
  return (2 * headDim) / full + (resident ? 0 : headDim / tileKeys);
}

/** Bytes that attention of `tokens` queries over as many keys moves, for all query heads of a kv head, nothing skipped. */
export function countedBytes(tile: AttentionTile, { headDim, group }: Pick<TileNeed, "headDim" | "group">, tokens: number): number {
  const pairs = tokens * group;
  return 4 * (pairs * tokens * wordsOfPair(tile, headDim) + 2 * pairs * headDim);
}

/**
 * Bytes that have to move with so much fast memory, for all query heads of a kv head: N^2 d^2 / M words where M >= d^2, and what products of
 * matrices need, N^2 d / sqrt(M), where heads are longer. arXiv:2402.07443
 */
export function boundBytes({ headDim, group, workgroupBytes }: Omit<TileNeed, "maxThreads" | "maxRows">, tokens: number): number {
  const memory = workgroupBytes / 4;
  return 4 * group * tokens * tokens * headDim * Math.min(headDim / memory, 1 / Math.sqrt(memory));
}

/** The tile that moves the fewest bytes; of equals the smaller one, which leaves more workgroups. */
export function chooseTile(need: TileNeed): AttentionTile {
  const { headDim, group, maxThreads, workgroupBytes, maxRows } = need;
  const most = Math.max(32, 2 ** Math.ceil(Math.log2(maxRows * Math.min(group, mostHeads))));
  const tiles = [32, 64, 128].flatMap((pairs) => [true, false].map((resident) => tileOf(need, pairs, resident)));
  const fitting = tiles.filter((tile) => tile.threads <= maxThreads && tileBytes(tile) <= workgroupBytes && tile.pairs <= most);
  assert(fitting.length > 0, `no tile of heads of ${headDim} fits ${workgroupBytes} bytes`);
  return fitting.reduce((best, tile) => (wordsOfPair(tile, headDim) < wordsOfPair(best, headDim) ? tile : best));
}
