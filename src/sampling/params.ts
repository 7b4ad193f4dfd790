// Validated sampling options, with every default filled in. Made by the API from a request; the sampler trusts them.

/** How the next token is chosen from logits. */
export interface SamplingParams {
  /** 0 is greedy. */
  readonly temperature: number;
  /** 0 keeps all. */
  readonly topK: number;
  /** 1 keeps all. */
  readonly topP: number;
  /** 0 keeps all. */
  readonly minP: number;
  /** 1 is none. Divides positive and multiplies negative logits of tokens already seen (CTRL, arXiv:1909.05858). */
  readonly repetitionPenalty: number;
  /** Subtracted once per earlier occurrence in the completion. */
  readonly frequencyPenalty: number;
  /** Subtracted once for tokens that occur in the completion. */
  readonly presencePenalty: number;
  /** Added to logits by token id. */
  readonly logitBias: ReadonlyMap<number, number>;
  readonly seed: number;
}

export const greedySampling: SamplingParams = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  logitBias: new Map(),
  seed: 0,
};
