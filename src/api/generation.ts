// A request in text terms: runs the session, turns ids into text that is whole characters and free of stop strings, and
// keeps tokens and text in step. OpenAI's shapes are made of these events elsewhere.

import { assert } from "../base/errors.ts";
import type { GenerateEvent, KvUsage, Session, TokenScore } from "../engine/session.ts";
import type { SamplingParams } from "../sampling/params.ts";
import type { Detokenizer } from "../text/detokenizer.ts";
import { createStopMatcher } from "../text/stop_strings.ts";
import type { StopMatcher } from "../text/stop_strings.ts";
import type { FinishReason, Usage } from "./types.ts";

/** A request after validation, templates and tokenizing. */
export interface GenerationPlan {
  readonly promptIds: readonly number[];
  /** Already bounded by the context. */
  readonly maxTokens: number;
  readonly sampling: SamplingParams;
  readonly stop: readonly string[];
  readonly ignoreEos: boolean;
  readonly logprobs: number | undefined;
  readonly promptLogprobs: number | undefined;
  /** Where the answer's tokens go; may have seen the prompt. */
  readonly detokenizer: Detokenizer;
}

/** A token of the answer and where its text begins in the answer, in UTF-16 units. */
export interface AnswerToken {
  readonly id: number;
  readonly offset: number;
  readonly score: TokenScore | undefined;
}

/** In order: one prompt, texts, one end. Texts join to the answer; a token comes with the text that completes it. */
export type TextEvent =
  | { readonly kind: "prompt"; readonly scores: ReadonlyArray<TokenScore | null> }
  | { readonly kind: "text"; readonly text: string; readonly tokens: readonly AnswerToken[] }
  | { readonly kind: "end"; readonly reason: FinishReason; readonly usage: Usage };

/** Text certain to be part of the answer, with its tokens. */
interface Piece {
  readonly text: string;
  readonly tokens: readonly AnswerToken[];
  readonly stopped: boolean;
}

/** Holds tokens back until their text is certain. */
class AnswerText {
  readonly #detokenizer: Detokenizer;
  readonly #matcher: StopMatcher;
  #pending: Array<AnswerToken & { readonly end: number }> = [];
  #decoded = 0;
  #emitted = 0;

  constructor(detokenizer: Detokenizer, stop: readonly string[]) {
    this.#detokenizer = detokenizer;
    this.#matcher = createStopMatcher(stop);
  }

  push(id: number, score: TokenScore | undefined): Piece {
    const text = this.#detokenizer.push(id);
    const offset = this.#decoded;
    this.#decoded += text.length;
    this.#pending.push({ id, offset, score, end: this.#decoded });
    const match = this.#matcher.push(text);
    // Tokens that are a part of a character wait for its text, so that no chunk is empty.
    if (match.text === "" && !match.stopped) return { text: "", tokens: [], stopped: false };
    return this.#release(match.text, match.stopped);
  }

  /** What was held back when the answer ends: the start of a stop string, a broken character. */
  finish(): Piece {
    const rest = this.#detokenizer.flush();
    this.#decoded += rest.length;
    const match = this.#matcher.push(rest);
    const text = match.stopped ? match.text : match.text + this.#matcher.flush();
    const piece = this.#release(text, match.stopped);
    return match.stopped ? piece : { ...piece, tokens: [...piece.tokens, ...this.#pending.splice(0)] };
  }

  #release(text: string, stopped: boolean): Piece {
    this.#emitted += text.length;
    // After a stop a token counts when any of its text is in the answer, before it only when all of it is.
    const held = this.#pending.findIndex((token) => (stopped ? token.offset >= this.#emitted : token.end > this.#emitted));
    const tokens = this.#pending.splice(0, held === -1 ? this.#pending.length : held);
    return { text, tokens, stopped };
  }
}

function perSecond(count: number, ms: number): number {
  return count > 0 && ms > 0 ? (count * 1000) / ms : 0;
}

/** Counts and times of one call. */
class UsageMeter {
  readonly #plan: GenerationPlan;
  readonly #startMs: number;
  #cachedTokens = 0;
  #prefillMs = 0;
  #firstTokenMs: number | undefined;
  #decodeMs = 0;
  #tokens = 0;

  constructor(plan: GenerationPlan, startMs: number) {
    this.#plan = plan;
    this.#startMs = startMs;
  }

  prompt(cachedTokens: number, prefillMs: number): void {
    this.#cachedTokens = cachedTokens;
    this.#prefillMs = prefillMs;
  }

  /** @param waitMs how long the engine took for it; the consumer's own time is not the engine's */
  token(waitMs: number): void {
    if (this.#tokens++ > 0) this.#decodeMs += waitMs;
    this.#firstTokenMs ??= performance.now() - this.#startMs;
  }

  /** @param kv what a policy left of the conversation */
  usage(kv: KvUsage | undefined): Usage {
    const prompt = this.#plan.promptIds.length;
    const totalMs = performance.now() - this.#startMs;
    return {
      prompt_tokens: prompt,
      completion_tokens: this.#tokens,
      total_tokens: prompt + this.#tokens,
      prompt_tokens_details: { cached_tokens: this.#cachedTokens },
      prefill_tokens_per_second: perSecond(prompt - this.#cachedTokens, this.#prefillMs),
      decode_tokens_per_second: perSecond(this.#tokens - 1, this.#decodeMs),
      time_to_first_token_ms: this.#firstTokenMs ?? totalMs,
      total_ms: totalMs,
      ...(kv && { kv: { policy: kv.policy, kept_tokens: kv.keptTokens, dropped_tokens: kv.droppedTokens } }),
    };
  }
}

function start(session: Session, plan: GenerationPlan, signal: AbortSignal): AsyncGenerator<GenerateEvent, void, undefined> {
  return session.generate({
    promptIds: plan.promptIds,
    maxTokens: plan.maxTokens,
    sampling: plan.sampling,
    stopIds: plan.ignoreEos ? new Set() : session.tokenizer.endOfGeneration,
    signal,
    ...(plan.logprobs === undefined ? {} : { logprobs: plan.logprobs }),
    ...(plan.promptLogprobs === undefined ? {} : { promptLogprobs: plan.promptLogprobs }),
  });
}

/**
 * Runs one request. Pull-based: the session computes the next token when the consumer asks for more.
 *
 * @param startMs when the caller began to wait, for `time_to_first_token_ms`
 * @throws {ShaderloomError} whatever the session throws; text already given stands
 */
export async function* generateText(
  session: Session,
  plan: GenerationPlan,
  signal: AbortSignal,
  startMs: number,
): AsyncGenerator<TextEvent, void, undefined> {
  const answer = new AnswerText(plan.detokenizer, plan.stop);
  const meter = new UsageMeter(plan, startMs);
  const isEnd = (id: number): boolean => !plan.ignoreEos && session.tokenizer.endOfGeneration.has(id);
  const isWorthGiving = ({ text, tokens }: Piece): boolean => text !== "" || (tokens.length > 0 && plan.logprobs !== undefined);
  let reason: FinishReason | undefined;
  let resumedMs = performance.now();
  for await (const event of start(session, plan, signal)) {
    if (event.kind === "prompt") {
      meter.prompt(event.cachedTokens, event.prefillMs);
      yield { kind: "prompt", scores: event.scores };
    } else if (event.kind === "token") {
      meter.token(performance.now() - resumedMs);
      if (!isEnd(event.id)) {
        const piece = answer.push(event.id, event.score);
        if (isWorthGiving(piece)) yield { kind: "text", text: piece.text, tokens: piece.tokens };
        if (piece.stopped) reason = "stop";
      }
    } else reason = event.reason;
    if (reason !== undefined) break;
    resumedMs = performance.now();
  }
  assert(reason !== undefined, "a session's events close with an end");
  const rest = answer.finish();
  if (isWorthGiving(rest)) yield { kind: "text", text: rest.text, tokens: rest.tokens };
  yield { kind: "end", reason: rest.stopped ? "stop" : reason, usage: meter.usage(session.kvUsage?.()) };
}
