// What sample_tiles and sample_pick share: how long rows may be, and how they are cut.

import { assert } from "../base/errors.ts";
import { maskWords, mostTokens, rowStride, sampleTileTokens, samplingWords } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";

export interface SampleAttributes {
  /** Vocabulary size. */
  readonly cols: number;
}

export function tileCount(cols: number): number {
  return ceilDiv(cols, sampleTileTokens);
}

/** Consts of both kernels; strides in vec4. */
export function sampleConsts(cols: number): Record<string, number> {
  assert(cols >= 1 && cols <= mostTokens, `sampling from ${cols} tokens`);
  return {
    COLS: cols,
    STRIDE: rowStride(cols) / 4,
    TILES: tileCount(cols),
    TILE_FOURS: sampleTileTokens / 4,
    SLOT_WORDS: samplingWords,
    MASK_WORDS: maskWords(cols),
  };
}
