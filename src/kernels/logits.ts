// What kernels that read logits share: an order, and rows that test it.

import { rowStride } from "../base/layout.ts";
import type { Rng } from "../base/rng.ts";
import type { InputSpec } from "./kernel.ts";

/** WGSL of the order on logits; consts `COLS` and `STRIDE` (vec4 per row). */
export const logitPart = "parts/score/logit_key.wgsl";

export function logitConsts(cols: number): { COLS: number; STRIDE: number } {
  return { COLS: cols, STRIDE: rowStride(cols) / 4 };
}

/** Logits whose rows from the second on are hard: ties, all equal, signed zeros, masked, NaN, infinities, all negative. */
function hardLogit(rng: Rng, row: number, col: number): number {
  const value = rng.normal();
  switch (row % 8) {
    case 1:
      return Math.round(value);
    case 2:
      return 1.5;
    case 3:
      return col % 3 === 0 ? -0 : 0;
    case 4:
      return col % 5 === 2 ? value : Number.NEGATIVE_INFINITY;
    case 5:
      return col === 17 ? Number.NaN : value;
    case 6:
      return Number.NEGATIVE_INFINITY;
    case 7:
      return value - 100;
    default:
      return value * 4;
  }
}

export function logitSpec(cols: number): InputSpec {
  return { rows: "outputRows", cols, type: "f32", fill: hardLogit };
}
