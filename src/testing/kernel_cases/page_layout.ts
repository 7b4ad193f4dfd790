// How cases lay out the KV cache.

import type { KvLayout } from "../../base/layout.ts";
import { alignUp } from "../../base/math.ts";

/** A layout with room for `tokens`. */
export function testLayout(shape: { numKvHeads: number; headDim: number; pageTokens: number; tokens: number }): KvLayout {
  const { numKvHeads, headDim, pageTokens, tokens } = shape;
  return { numKvHeads, headDim, pageTokens, type: "f32", maxPages: alignUp(tokens, pageTokens) / pageTokens };
}
