// What the KV cache can hold keys and values as, and the bytes of it. Size arithmetic only: shaders and references are in kernels.

import { ceilDiv } from "./math.ts";

/** Types that hold each number by itself. */
export type KvNumber = "f32" | "f16";

/** Types that are quantized token by token, when a token is stored. */
export type KvTokenType = "q8_0" | "bfp4";

/** Types that are quantized a page at a time, when it is full: until then its tokens are in the slot's tail, as f16. */
export type KvPageType = "q4" | "kivi2";

export type KvType = KvNumber | KvTokenType | KvPageType;

/** What mends pages of page types: `gear`, a matrix of rank 2 for what quantizing lost (GEAR, arXiv:2403.05527). */
export type KvRepair = "gear";

export const kvTypes: readonly KvType[] = ["f32", "f16", "q8_0", "bfp4", "q4", "kivi2"];

/** Sizes of a kv head in a page. */
export interface KvHeadShape {
  readonly type: KvType;
  readonly headDim: number;
  readonly pageTokens: number;
  /** Of page types. */
  readonly repair?: KvRepair;
}

export function isKvNumber(type: KvType): type is KvNumber {
  return type === "f32" || type === "f16";
}

export function isKvPageType(type: KvType): type is KvPageType {
  return type === "q4" || type === "kivi2";
}

/** Largest of `sizes` that divides a head. */
function dividing(headDim: number, sizes: readonly number[]): number {
  return sizes.find((size) => headDim % size === 0) ?? headDim;
}

/**
 * Numbers that share a scale (`q8_0`), an exponent (`bfp4`), or a scale and a least value (values of page types, whose keys share them
 * over the tokens of a page instead).
 */
export function kvBlock(type: KvTokenType | KvPageType, headDim: number): number {
  if (type === "q8_0") return dividing(headDim, [32, 16, 8, 4]);
  if (type === "bfp4") return dividing(headDim, [16, 8, 4]);
  return type === "q4" ? dividing(headDim, [64]) : dividing(headDim, [32]);
}

/** Words of 4 bytes that the keys of one kv head take in a page: codes of all tokens, then what they share, then what repairs them. */
export function kvKeyWords({ type, headDim, pageTokens, ...rest }: KvHeadShape): number {
  if (isKvPageType(type)) return codeWords(type, headDim, pageTokens) + headDim + kvRepairWords({ type, headDim, pageTokens, ...rest });
  return kvValueWords({ type, headDim, pageTokens });
}

/** Likewise of the values. */
export function kvValueWords({ type, headDim, pageTokens, ...rest }: KvHeadShape): number {
  const blocks = (of: KvTokenType | KvPageType): number => headDim / kvBlock(of, headDim);
  switch (type) {
    case "f32":
      return pageTokens * headDim;
    case "f16":
      return (pageTokens * headDim) / 2;
    case "q8_0":
      return pageTokens * (headDim / 4 + ceilDiv(blocks(type), 2));
    case "bfp4":
      return pageTokens * (ceilDiv(headDim, 8) + ceilDiv(blocks(type), 4));
    default:
      // A scale and a least value, both f16, for each block of a token.
      return codeWords(type, headDim, pageTokens) + pageTokens * blocks(type) + kvRepairWords({ type, headDim, pageTokens, ...rest });
  }
}

/** Words of what repairs keys, or values, of a kv head in a page: two f16 for each token, then two for each dimension. */
export function kvRepairWords({ type, headDim, pageTokens, repair }: KvHeadShape): number {
  return repair && isKvPageType(type) ? pageTokens + headDim : 0;
}

/** Words of a page type's codes, side by side across the dimensions of a token, tokens one after another. */
function codeWords(type: KvPageType, headDim: number, pageTokens: number): number {
  return pageTokens * ceilDiv(headDim * (type === "q4" ? 4 : 2), 32);
}

/** Tokens of a page when nobody says: page types share scales over them. */
export function kvPageTokens(type: KvType): number {
  return isKvPageType(type) ? 64 : 32;
}
