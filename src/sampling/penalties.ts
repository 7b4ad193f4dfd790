// Changes to logits before temperature: repetition, frequency and presence penalties and the caller's bias.
// The caller's logits stay as they are, because log-probabilities are reported from them. Every operation rounds to f32, as the GPU's do.

import { hasPenalties } from "./packed.ts";
import type { SamplingParams } from "./params.ts";

/** The ids before the token to be chosen, and what may follow them. */
export interface TokenHistory {
  readonly promptIds: readonly number[];
  readonly completionIds: readonly number[];
  /** [maskWords(V)], a bit for each token, set where it is allowed; undefined allows all. */
  readonly allowed?: Uint32Array;
}

/** In f32. */
export interface Penalties {
  readonly repetition: number;
  readonly repetitionInverse: number;
  readonly frequency: number;
  readonly presence: number;
}

/** A logit of a token that was seen, `count` times of them in the completion. */
export function penalize(logit: number, count: number, penalties: Penalties): number {
  const { repetition, repetitionInverse, frequency, presence } = penalties;
  const repeated = Math.fround(logit * (logit > 0 ? repetitionInverse : repetition));
  return count === 0 ? repeated : Math.fround(repeated - Math.fround(Math.fround(count * frequency) + presence));
}

function penaltiesOf(params: SamplingParams): Penalties {
  return {
    repetition: Math.fround(params.repetitionPenalty),
    repetitionInverse: Math.fround(1 / params.repetitionPenalty),
    frequency: Math.fround(params.frequencyPenalty),
    presence: Math.fround(params.presencePenalty),
  };
}

/**
 * Logits with the penalties of a request applied, in this order:
 * repetition (prompt and completion): l / r for l > 0, l * r otherwise (CTRL, arXiv:1909.05858), by the f32 inverse of r;
 * frequency and presence (completion only, as OpenAI defines them): l - (count * f + p);
 * bias: l + b. The bias comes last so that a ban of -100 is worth 100 whatever the penalties did.
 *
 * @param logits [V]
 * @returns `logits` itself when nothing applies, else a copy [V]
 */
export function penalizedLogits(logits: Float32Array, params: SamplingParams, history: TokenHistory): Float32Array {
  const penalized = hasPenalties(params);
  if (!penalized && params.logitBias.size === 0) return logits;
  const result = logits.slice();
  if (penalized) {
    const counts = new Map<number, number>(history.promptIds.map((id) => [id, 0]));
    for (const id of history.completionIds) counts.set(id, (counts.get(id) ?? 0) + 1);
    const penalties = penaltiesOf(params);
    for (const [id, count] of counts) result[id] = penalize(result[id], count, penalties);
  }
  for (const [id, bias] of params.logitBias) result[id] += Math.fround(bias);
  return result;
}
