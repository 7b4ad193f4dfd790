// Changes to logits before temperature: repetition, frequency and presence penalties and the caller's bias.
// The caller's logits stay as they are, because log-probabilities are reported from them.

import type { SamplingParams } from "./params.ts";

/** The ids before the token to be chosen. */
export interface TokenHistory {
  readonly promptIds: readonly number[];
  readonly completionIds: readonly number[];
}

function hasPenalties(params: SamplingParams): boolean {
  return params.repetitionPenalty !== 1 || params.frequencyPenalty !== 0 || params.presencePenalty !== 0 || params.logitBias.size > 0;
}

/**
 * Logits with the penalties of a request applied, in this order:
 * repetition (prompt and completion): l / r for l > 0, l * r otherwise (CTRL, arXiv:1909.05858);
 * frequency and presence (completion only, as OpenAI defines them): l - count * f - p;
 * bias: l + b. The bias comes last so that a ban of -100 is worth 100 whatever the penalties did.
 *
 * @param logits [V]
 * @returns `logits` itself when nothing applies, else a copy [V]
 */
export function penalizedLogits(logits: Float32Array, params: SamplingParams, history: TokenHistory): Float32Array {
  if (!hasPenalties(params)) return logits;
  const result = logits.slice();
  if (params.repetitionPenalty !== 1) {
    const r = params.repetitionPenalty;
    for (const id of new Set([...history.promptIds, ...history.completionIds])) {
      result[id] = result[id] > 0 ? result[id] / r : result[id] * r;
    }
  }
  if (params.frequencyPenalty !== 0 || params.presencePenalty !== 0) {
    const counts = new Map<number, number>();
    for (const id of history.completionIds) counts.set(id, (counts.get(id) ?? 0) + 1);
    for (const [id, count] of counts) result[id] -= count * params.frequencyPenalty + params.presencePenalty;
  }
  for (const [id, bias] of params.logitBias) result[id] += bias;
  return result;
}
