// What kernels of policies that drop tokens are given, and where their numbers lie: apart from their texts, which references need not carry.

import type { KvLayout } from "../base/layout.ts";

export interface KvCompactAttributes {
  readonly kv: KvLayout;
  /** Leading dimensions of a head that turn. */
  readonly rotaryDim: number;
  readonly pairing: "half" | "interleaved";
  /** Rows of the table of turns. */
  readonly maxPositions: number;
  /** What a made-up list of a check says. */
  readonly example?: MovesExample;
}

/** A list where place i is taken from place i + 1 + floor((i - first) / 2), turned back by as many positions as it moves or not at all. */
export interface MovesExample {
  readonly first: number;
  readonly end: number;
  readonly slots: readonly [read: number, written: number];
  /** Whether each kv head has a list of its own: head h takes tokens h places further. */
  readonly each: boolean;
  readonly turned: boolean;
}

/** Words before the list of moves. */
export const movesHeader = 8;

export interface KvScoresAttributes {
  readonly kv: KvLayout;
  /** Query heads. */
  readonly numHeads: number;
  /** Factor of the products. */
  readonly scale: number;
  /** Keyformer's noise and temperature, which grows from this many tokens on; plain probabilities when not given. arXiv:2403.09054 */
  readonly noiseSpan?: number;
}

/** Words before the scores; the first says whether they are wanted, as a number that is not 0. */
export const scoresHeader = 4;

/** Keys of a kv head that have scores. */
export function scoredTokens({ maxPages, pageTokens }: KvLayout): number {
  return maxPages * pageTokens;
}

/** Words of a layer's scores: `[header][kv head][token]` in f32. */
export function scoreWords(kv: KvLayout): number {
  return scoresHeader + kv.numKvHeads * scoredTokens(kv);
}
