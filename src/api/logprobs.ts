// Log-probabilities in OpenAI's two shapes. Tokens are shown as text; bytes beside it, because a token can be part of a
// character and two tokens can have the same text.

import type { TokenScore } from "../engine/session.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { AnswerToken } from "./generation.ts";
import type { ChatLogprobs, CompletionLogprobs, TokenLogprob, TopToken } from "./types.ts";

/** A token's text: what it adds to an answer, U+FFFD for bytes that are no character alone, a control token by its name. */
function shownText(tokenizer: Tokenizer, id: number): string {
  return tokenizer.decode([id], { continues: true });
}

function chatLogprob(tokenizer: Tokenizer, id: number, logprob: number): TokenLogprob {
  const bytes = Array.from(tokenizer.tokenBytes(id));
  // A control token is no text, so it has no bytes.
  return { token: shownText(tokenizer, id), logprob, bytes: bytes.length === 0 ? null : bytes };
}

/** @param tokens with scores */
export function chatLogprobs(tokenizer: Tokenizer, tokens: readonly AnswerToken[]): ChatLogprobs {
  const content = tokens.flatMap(({ score }) => {
    if (score === undefined) return [];
    const top = score.top.map(({ id, logprob }) => chatLogprob(tokenizer, id, logprob));
    return [{ ...chatLogprob(tokenizer, score.id, score.logprob), top_logprobs: top }];
  });
  return { content };
}

/** A token of prompt or answer for the completions shape. */
export interface PlacedToken {
  readonly id: number;
  /** Where its text begins in the returned text, in UTF-16 units. */
  readonly offset: number;
  /** Null where nothing precedes the token. */
  readonly score: TokenScore | null;
}

/**
 * Most likely tokens by text, the chosen one always among them. Of tokens with the same text the most likely one counts.
 * `fromEntries` defines the fields, so that a token `__proto__` is one like any other.
 */
function topByText(tokenizer: Tokenizer, score: TokenScore): Record<string, number> {
  const entries = new Map<string, number>();
  for (const { id, logprob } of [...score.top, score]) {
    const text = shownText(tokenizer, id);
    if (!entries.has(text)) entries.set(text, logprob);
  }
  return Object.fromEntries(entries);
}

function topTokens(tokenizer: Tokenizer, score: TokenScore): TopToken[] {
  return score.top.map(({ id, logprob }) => ({
    id,
    token: shownText(tokenizer, id),
    bytes: Array.from(tokenizer.tokenBytes(id)),
    logprob,
  }));
}

export function completionLogprobs(tokenizer: Tokenizer, tokens: readonly PlacedToken[]): CompletionLogprobs {
  return {
    tokens: tokens.map(({ id }) => shownText(tokenizer, id)),
    token_logprobs: tokens.map(({ score }) => score?.logprob ?? null),
    top_logprobs: tokens.map(({ score }) => (score === null ? null : topByText(tokenizer, score))),
    text_offset: tokens.map(({ offset }) => offset),
    top: tokens.map(({ score }) => (score === null ? [] : topTokens(tokenizer, score))),
  };
}
