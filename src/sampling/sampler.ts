// Chooses a token from logits on the CPU and reports log-probabilities. The GPU chooses in plain greedy decoding; this is
// the path for everything else. No state: the n-th draw of a seed is a pure function.
//
// Order: penalties, temperature, top-k, top-p, min-p, as Hugging Face transformers chains them and as OpenAI's fields are
// understood: temperature first, so that top-p and min-p cut the distribution that is sampled from. Top-p is of the mass that
// top-k left. Min-p compares with the most likely token, so it commutes with the other two.

import { ShaderloomError } from "../base/errors.ts";
import { randomUnit } from "../base/rng.ts";
import { keepNucleus } from "./nucleus.ts";
import type { SamplingParams } from "./params.ts";
import { penalizedLogits } from "./penalties.ts";
import type { TokenHistory } from "./penalties.ts";
import { argMax, topIndices } from "./top_tokens.ts";

export type { TokenHistory } from "./penalties.ts";

/** A token's log-probability under the raw logits and the most likely tokens beside it, most likely first. */
export interface ScoredToken {
  readonly id: number;
  readonly logprob: number;
  readonly top: ReadonlyArray<{ readonly id: number; readonly logprob: number }>;
}

/** Tokens that may be drawn. */
interface Candidates {
  /** [n], or undefined when they are all tokens in order. */
  readonly ids: Uint32Array | undefined;
  /** [n] probabilities relative to the most likely token, without a common factor; zero is never drawn. */
  readonly weights: Float64Array;
}

/** @throws {ShaderloomError} GPU.numeric when no distribution can be made of the logits */
function finiteArgMax(logits: Float32Array): number {
  const best = argMax(logits);
  if (best === -1 || !Number.isFinite(logits[best])) {
    throw new ShaderloomError(
      "GPU.numeric",
      "The model produced values that are not numbers. Load it again, with activations: 'f32' if another class was chosen; if it happens again the file or the driver is at fault.",
    );
  }
  return best;
}

/** What temperature, top-k and top-p leave. */
function candidatesOf(logits: Float32Array, max: number, params: SamplingParams): Candidates {
  const { temperature, topK, topP } = params;
  const ids = topK > 0 && topK < logits.length ? topIndices(logits, topK) : undefined;
  const size = ids?.length ?? logits.length;
  const distances = new Float64Array(size);
  const weights = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    distances[i] = (max - logits[ids === undefined ? i : ids[i]]) / temperature;
    weights[i] = Math.exp(-distances[i]);
  }
  if (topP < 1) keepNucleus(weights, distances, topP);
  return { ids, weights };
}

/** One draw: the first candidate at which the cumulative weight exceeds u of the mass that min-p left. */
function draw({ ids, weights }: Candidates, minP: number, u: number): number {
  // Zero is out whatever min-p is: the smallest weight above it is the least that may be drawn.
  const least = Math.max(minP, Number.MIN_VALUE);
  let total = 0;
  for (let i = 0; i < weights.length; i++) if (weights[i] >= least) total += weights[i];
  let left = u * total;
  let last = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] < least) continue;
    last = i;
    left -= weights[i];
    if (left < 0) break;
  }
  return ids === undefined ? last : ids[last];
}

/**
 * The next token.
 *
 * @param logits [V], not changed
 * @param counter number of the draw within the request; the same seed and counter draw the same number
 * @throws {ShaderloomError} GPU.numeric when a logit is NaN or none is finite
 */
export function sampleToken(logits: Float32Array, params: SamplingParams, history: TokenHistory, counter: number): number {
  const adjusted = penalizedLogits(logits, params, history);
  const best = finiteArgMax(adjusted);
  if (params.temperature === 0 || params.topK === 1) return best;
  const candidates = candidatesOf(adjusted, adjusted[best], params);
  return draw(candidates, params.minP, randomUnit(params.seed, counter));
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
