// Chooses a token from logits on the CPU and reports log-probabilities. The GPU chooses in plain greedy decoding; this is
// the path for everything else. No state: the n-th draw of a seed is a pure function.
//
// Order: penalties, temperature, top-k, top-p, min-p, as Hugging Face transformers chains them and as OpenAI's fields are
// understood: temperature first, so that top-p and min-p cut the distribution that is sampled from. Top-p is of the mass that
// top-k left. Min-p compares with the most likely token, so it commutes with the other two.

import { ShaderloomError } from "../base/errors.ts";
import { randomUnit } from "../base/rng.ts";
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

/** How many tokens top-p looks at first; enough for nearly every step of a trained model. */
const FIRST_PREFIX = 64;

/** Candidates and their unnormalized probabilities [n], relative to the most likely token. */
interface Candidates {
  readonly ids: Uint32Array;
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

function weighted(ids: Uint32Array, logits: Float32Array, max: number, temperature: number): Candidates {
  return { ids, weights: Float64Array.from(ids, (id) => Math.exp((logits[id] - max) / temperature)) };
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** Length of the shortest prefix of `weights` (largest first) with at least `mass`; undefined when all of it has less. */
function prefixLength(weights: Float64Array, mass: number): number | undefined {
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    total += weights[i];
    if (total >= mass) return i + 1;
  }
  return undefined;
}

function prefix(candidates: Candidates, length: number): Candidates {
  return { ids: candidates.ids.subarray(0, length), weights: candidates.weights.subarray(0, length) };
}

/** The nucleus of the whole vocabulary: sorted prefixes of growing length until one has the mass. */
function nucleus(logits: Float32Array, max: number, params: SamplingParams): Candidates {
  let total = 0;
  for (const logit of logits) total += Math.exp((logit - max) / params.temperature);
  for (let count = FIRST_PREFIX; ; count *= 16) {
    const candidates = weighted(topIndices(logits, count), logits, max, params.temperature);
    const length = prefixLength(candidates.weights, params.topP * total);
    if (length !== undefined) return prefix(candidates, length);
    // Rounding in `total` can leave the whole vocabulary a hair short of its own mass.
    if (count >= logits.length) return candidates;
  }
}

function candidatesOf(logits: Float32Array, max: number, params: SamplingParams): Candidates {
  if (params.topK > 0 && params.topK < logits.length) {
    const kept = weighted(topIndices(logits, params.topK), logits, max, params.temperature);
    if (params.topP >= 1) return kept;
    return prefix(kept, prefixLength(kept.weights, params.topP * sum(kept.weights)) ?? kept.ids.length);
  }
  if (params.topP < 1) return nucleus(logits, max, params);
  return weighted(
    Uint32Array.from(logits, (_, id) => id),
    logits,
    max,
    params.temperature,
  );
}

/** One draw: the first candidate whose cumulative weight exceeds u of the mass that min-p left. */
function draw(candidates: Candidates, minP: number, u: number): number {
  const { ids, weights } = candidates;
  let total = 0;
  for (const weight of weights) if (weight >= minP) total += weight;
  let left = u * total;
  let last = ids[0];
  for (let i = 0; i < ids.length; i++) {
    // A weight of zero is a masked token: it must not be drawn even when `left` is zero.
    if (weights[i] < minP || weights[i] === 0) continue;
    last = ids[i];
    left -= weights[i];
    if (left < 0) break;
  }
  return last;
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
  for (const logit of logits) total += Math.exp(logit - max);
  const logSum = max + Math.log(total);
  const top = Array.from(topIndices(logits, topN), (topId) => ({ id: topId, logprob: logits[topId] - logSum }));
  return { id, logprob: logits[id] - logSum, top };
}
