// Weights of tokens as whole numbers, so that sums do not depend on their order and CPU and GPU draw the same tokens from the same
// logits: exp as shifts and products of integers (parts/sample/weight.wgsl has the same), and the sums of tiles of 1024 tokens.
// After the Two-Pass Softmax algorithm (Dukhan & Ablavatski, arXiv:2001.04438) a sum is a pair that cannot overflow: here a tile's
// mass and its own largest logit, so that logits are read once for all sums and no pass looks for the largest of a row.

import { sampleTileTokens } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";

/** What masked tokens and negative infinity become. */
export const lowestLogit: number = Math.fround(-3e38);
/** Bound on all others, so that nothing overflows. */
export const mostLogit: number = Math.fround(1e30);

/** Distances in powers of two from which on a weight is zero. */
const farthest = 40;
/** 2^(31 - x) for 0 <= x < 1 is c0 - x (c1 - x (c2 - ...)); fitted at Chebyshev nodes, relative error 1.1e-7. */
const coefficients = [2 ** 31, 1488513691, 515781526, 118755002, 19780205, 2034856] as const;

/**
 * exp((logit - top) / temperature) * 2^31, rounded down to a whole number; the distance has 16 bits after the point, which is a relative
 * error of up to 1.1e-5. Never grows with the distance.
 *
 * @param scale  log2(e) / temperature, f32
 */
export function weightOf(top: number, logit: number, scale: number): number {
  const distance = Math.fround(Math.min(Math.fround(top - logit), mostLogit) * scale);
  const fixed = Math.floor(Math.min(distance, farthest) * 65536);
  const whole = fixed >>> 16;
  const part = fixed & 0xffff;
  const [c0, c1, c2, c3, c4, c5] = coefficients;
  let sum = c4 - Math.floor((c5 * part) / 65536);
  sum = c3 - Math.floor((sum * part) / 65536);
  sum = c2 - Math.floor((sum * part) / 65536);
  sum = c1 - Math.floor((sum * part) / 65536);
  sum = c0 - Math.floor((sum * part) / 65536);
  return whole > 31 ? 0 : sum >>> whole;
}

/** 1024 tokens. */
export interface Tile {
  /** The largest logit, `lowestLogit` when none may be drawn. */
  readonly top: number;
  /** The first token that has it. */
  readonly topId: number;
  /** Sum of the weights, the largest being 2^31, over 1024. */
  readonly mass: number;
}

/** The tiles of a row. @param logits [V], without NaN; @param scale  0: masses are not wanted */
export function tilesOf(logits: Float32Array, scale: number): Tile[] {
  return Array.from({ length: ceilDiv(logits.length, sampleTileTokens) }, (_, index) => tileOf(logits, index * sampleTileTokens, scale));
}

function tileOf(logits: Float32Array, start: number, scale: number): Tile {
  const end = Math.min(start + sampleTileTokens, logits.length);
  let topId = start;
  for (let id = start + 1; id < end; id++) if (logits[id] > logits[topId]) topId = id;
  const top = logits[topId];
  let mass = 0;
  if (scale > 0 && top > lowestLogit) for (let id = start; id < end; id++) mass += weightOf(top, logits[id], scale);
  return { top, topId, mass: Math.floor(mass / 1024) };
}

/** A tile's mass where the largest weight of the row is 2^31: `mass * weight / 2^20` rounded down, in parts that are exact. */
export function scaledMass(mass: number, weight: number): number {
  const low = Math.floor((mass * (weight & 0xffff)) / 65536);
  return Math.floor((mass * (weight >>> 16) + low) / 16);
}

/** `whole * part / 2^24` rounded down, for a whole below 2^53 and a part of at most 2^24. */
export function shareOf(whole: number, part: number): number {
  const high = Math.floor(whole / 2 ** 24);
  return high * part + Math.floor(((whole - high * 2 ** 24) * part) / 2 ** 24);
}
