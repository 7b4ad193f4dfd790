// Logits on the CPU: rows, their bits, and when a row is broken.

import type { CpuTensor } from "../kernel.ts";

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

/** The largest, positive infinity where one is no number. */
export function bestLogit(values: Float32Array): number {
  return values.reduce((most, value) => (Number.isNaN(value) ? Number.POSITIVE_INFINITY : Math.max(most, value)), Number.NEGATIVE_INFINITY);
}
