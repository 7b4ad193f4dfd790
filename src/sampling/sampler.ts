// Chooses a token from logits on the CPU and reports log-probabilities. The GPU chooses in ordinary decoding; this is its reference,
// and the path where the CPU has a say in every token. No state: the n-th draw of a seed is a pure function.
//
// Order: penalties, bias, mask, temperature, top-k, top-p, min-p, as Hugging Face transformers chains them and as OpenAI's fields are
// understood: temperature first, so that top-p and min-p cut the distribution that is sampled from. Top-p is of the mass that
// top-k left. Min-p compares with the most likely token, so it commutes with the other two.

import { maskWords } from "../base/layout.ts";
import { assert } from "../base/errors.ts";
import { randomUnit } from "../base/rng.ts";
import { drawToken } from "./draw.ts";
import { deadEndError, numericError } from "./errors.ts";
import { samplingRule } from "./packed.ts";
import type { SamplingParams } from "./params.ts";
import { penalizedLogits } from "./penalties.ts";
import type { TokenHistory } from "./penalties.ts";
import { argMax, topIndices } from "./top_tokens.ts";
import { lowestLogit, mostLogit } from "./weights.ts";

export type { TokenHistory } from "./penalties.ts";

/** A token's log-probability under the raw logits and the most likely tokens beside it, most likely first. */
export interface ScoredToken {
  readonly id: number;
  readonly logprob: number;
  readonly top: ReadonlyArray<{ readonly id: number; readonly logprob: number }>;
}

function finiteArgMax(logits: Float32Array): number {
  const best = argMax(logits);
  if (best === -1 || !Number.isFinite(logits[best])) throw numericError();
  return best;
}

/**
 * What may be drawn from, by the logits after penalties: finite values within +-1e30, and `lowestLogit` where nothing may be.
 *
 * @param raw [V]
 * @param adjusted [V]
 * @param allowed [maskWords(V)], a bit for each token, set where it is allowed
 * @throws {ShaderloomError} GPU.numeric, GRAMMAR.dead_end
 */
export function candidateLogits(raw: Float32Array, adjusted: Float32Array, allowed?: Uint32Array): Float32Array {
  assert(allowed === undefined || allowed.length >= maskWords(raw.length), "a mask has a bit for each token");
  const result = new Float32Array(raw.length);
  let finite = 0;
  let left = 0;
  for (let id = 0; id < raw.length; id++) {
    const value = raw[id];
    if (value !== value || value === Infinity) throw numericError();
    result[id] = lowestLogit;
    if (value === -Infinity) continue;
    finite++;
    if (allowed !== undefined && ((allowed[id >>> 5] >>> (id & 31)) & 1) === 0) continue;
    left++;
    result[id] = Math.min(Math.max(adjusted[id], -mostLogit), mostLogit);
  }
  if (finite === 0) throw numericError();
  if (left === 0) throw deadEndError();
  return result;
}

/**
 * The next token.
 *
 * @param logits [V], not changed
 * @param counter number of the draw within the request; the same seed and counter draw the same number
 * @throws {ShaderloomError} GPU.numeric when a logit is NaN or none is finite, GRAMMAR.dead_end when the mask leaves none
 */
export function sampleToken(logits: Float32Array, params: SamplingParams, history: TokenHistory, counter: number): number {
  const candidates = candidateLogits(logits, penalizedLogits(logits, params, history), history.allowed);
  return drawToken(candidates, samplingRule(params), randomUnit(params.seed, counter));
}

/**
 * Log-softmax of raw logits at one token and at the `topN` most likely: l - log(sum exp l), summed in double precision.
 *
 * @param logits [V]
 * @throws {ShaderloomError} GPU.numeric when a logit is NaN or none is finite
 */
export function scoreToken(logits: Float32Array, id: number, topN: number): ScoredToken {
  const max = logits[finiteArgMax(logits)];
  let total = 0;
  for (let i = 0; i < logits.length; i++) total += Math.exp(logits[i] - max);
  const logSum = max + Math.log(total);
  const top = Array.from(topIndices(logits, topN), (topId) => ({ id: topId, logprob: logits[topId] - logSum }));
  return { id, logprob: logits[id] - logSum, top };
}
