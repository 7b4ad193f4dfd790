// What a step of a kernel cannot do without: bytes that move at least once and multiply-adds. The measure of benches and of
// predictions; it knows no adapter.

import { type KvLayout, kvPageBytes } from "../base/layout.ts";
import { matrixBytes } from "../formats/format.ts";
import type { InputSpec, OperandSpecs, OutputSpec, StepShape } from "./kernel.ts";

/** Bytes of activations, without their padding. */
export function activationBytes(specs: readonly (InputSpec | OutputSpec)[], step: StepShape): number {
  return specs.reduce((sum, { rows, cols }) => sum + 4 * step[rows] * cols, 0);
}

/** Bytes of everything that a kernel reads and writes whole: activations, weights and vectors. No tables, no pages. */
export function streamedBytes(operands: OperandSpecs, outputs: readonly OutputSpec[], step: StepShape): number {
  const { inputs = [], weights = [], vectors = [] } = operands;
  const weightBytes = weights.reduce((sum, { format, rows, cols }) => sum + matrixBytes(format, rows, cols), 0);
  const vectorBytes = vectors.reduce((sum, length) => sum + 4 * length, 0);
  return activationBytes([...inputs, ...outputs], step) + weightBytes + vectorBytes;
}

/** Bytes of the keys and values of `tokens` positions in one layer. */
export function kvBytes(kv: KvLayout, tokens: number): number {
  return Math.ceil((kvPageBytes(kv) * tokens) / kv.pageTokens);
}
