// Perplexity of a fixed text under a loaded session: what tests and benches compare types of the KV cache and policies by.

import { assert } from "../base/errors.ts";
import { maskWords } from "../base/layout.ts";
import type { GenerateRequest, Session } from "../engine/session.ts";
import { greedySampling } from "../sampling/params.ts";

export interface Perplexity {
  /** Tokens that were scored. */
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

const request: Pick<GenerateRequest, "sampling" | "stopIds"> = { sampling: greedySampling, stopIds: new Set<number>() };

function perplexity(logprobs: readonly number[]): Perplexity {
  return { tokens: logprobs.length, perplexity: Math.exp(-logprobs.reduce((sum, logprob) => sum + logprob, 0) / logprobs.length) };
}

/** exp of the mean negative log-probability of each document's first `length` tokens but one, given those before: scored as a prompt. */
export async function perplexityOf(session: Session, documents: ReadonlyArray<readonly number[]>, length: number): Promise<Perplexity> {
  const logprobs: number[] = [];
  for (const ids of documents) {
    for await (const event of session.generate({ ...request, promptIds: ids.slice(0, length), maxTokens: 0, promptLogprobs: 0 })) {
      if (event.kind !== "prompt") continue;
      for (const score of event.scores) if (score) logprobs.push(score.logprob);
    }
  }
  return perplexity(logprobs);
}

/** A prompt and what has to follow it, token by token: a mask allows nothing else. Log-probabilities are of all tokens all the same. */
function forced(promptIds: readonly number[], rest: readonly number[], vocabSize: number): GenerateRequest {
  const mask = ({ length }: readonly number[]): Uint32Array => {
    const words = new Uint32Array(maskWords(vocabSize));
    words[rest[length] >>> 5] = 2 ** (rest[length] & 31);
    return words;
  };
  return { ...request, promptIds, maxTokens: rest.length, logprobs: 0, mask };
}

/** As `perplexityOf`, of each document's tokens from `prompt` to `length`: scored as an answer, which sees what a policy left of a prompt. */
export async function answerPerplexityOf(
  session: Session,
  documents: ReadonlyArray<readonly number[]>,
  { prompt, length }: { readonly prompt: number; readonly length: number },
): Promise<Perplexity> {
  const logprobs: number[] = [];
  const { vocabSize } = session.info();
  for (const ids of documents) {
    let at = prompt;
    for await (const event of session.generate(forced(ids.slice(0, prompt), ids.slice(prompt, length), vocabSize))) {
      if (event.kind !== "token") continue;
      assert(event.id === ids[at] && event.score, "a token of the text is scored");
      logprobs.push(event.score.logprob);
      at++;
    }
    assert(at === Math.min(length, ids.length), "the whole text is scored");
  }
  return perplexity(logprobs);
}
