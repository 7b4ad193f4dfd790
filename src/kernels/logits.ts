// What kernels that read logits share: an order, an idea of a broken row, and rows that test both.

import { rowStride } from "../base/layout.ts";
import type { Rng } from "../base/rng.ts";
import type { CpuTensor, InputSpec } from "./kernel.ts";

/** WGSL of the order on logits; consts `COLS` and `STRIDE` (vec4 per row). */
export const logitPart = "parts/score/logit_key.wgsl";

export function logitConsts(cols: number): { COLS: number; STRIDE: number } {
  return { COLS: cols, STRIDE: rowStride(cols) / 4 };
}

/** The words behind f32 values: logits and ids share outputs. */
export function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/** One row of a tensor. */
export function logitRow(logits: CpuTensor, row: number): Float32Array {
  return logits.data.subarray(row * logits.cols, (row + 1) * logits.cols);
}

/** Whether a row cannot be sampled from: a NaN or positive infinity in it, or nothing but negative infinities. */
export function brokenRow(row: Float32Array): boolean {
  return row.some((value) => Number.isNaN(value) || value === Number.POSITIVE_INFINITY) || row.every((value) => !Number.isFinite(value));
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
