// A row of the `score` section: the most likely ids with their logits, and what makes log-probabilities of logits.

import { rowStride } from "../base/layout.ts";
import { numericError } from "../sampling/errors.ts";

/** One output row scored on the GPU. */
export interface RowScore {
  /** Log-probability of the row's target token. */
  readonly logprob: number;
  /** Most likely first. */
  readonly top: ReadonlyArray<{ readonly id: number; readonly logprob: number }>;
}

/** Words from one row of the `score` section to the next. */
export function scoreWords(topK: number): number {
  return rowStride(usedScoreWords(topK));
}

/** Words of a row without its padding. */
export function usedScoreWords(topK: number): number {
  return 2 * topK + 4;
}

/**
 * A row of the `score` section.
 * @param at  its first word, and the raw logit of the token it is about
 * @throws {ShaderloomError} GPU.numeric
 */
export function readScore(bytes: ArrayBuffer, at: { start: number; topK: number; target: number }): RowScore {
  const floats = new Float32Array(bytes);
  const words = new Uint32Array(bytes);
  const { start, topK, target } = at;
  if (words[start + 2 * topK + 2] !== 0) throw numericError();
  const logSumExp = floats[start + 2 * topK + 1];
  const top = Array.from({ length: topK }, (_, index) => ({ id: words[start + index], logprob: floats[start + topK + index] - logSumExp }));
  return { logprob: target - logSumExp, top };
}
