// Perplexity of a fixed text under a loaded session: what tests and benches compare types of the KV cache by.

import type { Session } from "../engine/session.ts";
import { greedySampling } from "../sampling/params.ts";

export interface Perplexity {
  /** Tokens that were scored: all but the first of each document. */
  readonly tokens: number;
  readonly perplexity: number;
}

/** The documents of a text such as scripts/bundled_model/held_out.txt, which nothing was trained on. */
export function documentsOf(text: string): string[] {
  return text.split("\n<|endoftext|>\n").filter((document) => document.trim() !== "");
}

/** For models that know no chat markup: the turns alone. */
export function withoutMarkup(text: string): string {
  return text.replaceAll(/<\|im_start\|>(user|assistant|system)\n/g, "").replaceAll("<|im_end|>", "");
}

/** exp of the mean negative log-probability of each document's first `length` tokens, given those before. */
export async function perplexityOf(session: Session, documents: ReadonlyArray<readonly number[]>, length: number): Promise<Perplexity> {
  let [sum, tokens] = [0, 0];
  for (const ids of documents) {
    const request = {
      promptIds: ids.slice(0, length),
      maxTokens: 0,
      sampling: greedySampling,
      stopIds: new Set<number>(),
      promptLogprobs: 0,
    };
    for await (const event of session.generate(request)) {
      if (event.kind !== "prompt") continue;
      for (const score of event.scores) {
        if (score === null) continue;
        sum -= score.logprob;
        tokens++;
      }
    }
  }
  return { tokens, perplexity: Math.exp(sum / tokens) };
}
