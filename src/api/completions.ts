// `completions.create`: text or ids in, text out, with echo and log-probabilities. OpenAI's shapes; no templates.

import type { Session } from "../engine/session.ts";
import { createDetokenizer } from "../text/detokenizer.ts";
import type { Detokenizer } from "../text/detokenizer.ts";
import type { EngineParts } from "./call.ts";
import { expandStream, requestLimits, responseHead, roomFor, runPlan } from "./call.ts";
import { parseCompletionRequest } from "./completion_request.ts";
import type { ParsedCompletionRequest } from "./completion_request.ts";
import { requestError } from "./fields.ts";
import type { AnswerToken, GenerationPlan, TextEvent } from "./generation.ts";
import { completionLogprobs } from "./logprobs.ts";
import type { PlacedToken } from "./logprobs.ts";
import { collect } from "./turn_stream.ts";
import type { CallOptions, Completion, FinishReason, Usage } from "./types.ts";

/** The prompt as it is echoed: its text and where each token begins in it. */
interface Prompt {
  readonly ids: readonly number[];
  readonly text: string;
  readonly offsets: readonly number[];
  /** Has seen the prompt, so that a character begun there can end in the answer. */
  readonly detokenizer: Detokenizer;
}

/** @throws {ShaderloomError} REQUEST.prompt when no token comes of it */
function promptIds(session: Session, prompt: string | readonly number[]): readonly number[] {
  if (typeof prompt !== "string") return prompt;
  const { tokenizer } = session;
  const begin = tokenizer.addBos && tokenizer.bosId !== undefined ? [tokenizer.bosId] : [];
  const ids = [...begin, ...tokenizer.encode(prompt)];
  if (ids.length === 0) throw requestError("prompt", "at least one token long for this model", prompt);
  return ids;
}

/** Runs the prompt through the detokenizer. What it holds back of a broken character comes with the answer. */
function placePrompt(session: Session, ids: readonly number[], literal: string | undefined): Prompt {
  const detokenizer = createDetokenizer(session.tokenizer);
  const offsets: number[] = [];
  let text = "";
  for (const id of ids) {
    offsets.push(text.length);
    text += detokenizer.push(id);
  }
  return { ids, text: literal ?? text, offsets, detokenizer };
}

/** What a response is made of, and from what. */
interface Call {
  readonly request: ParsedCompletionRequest;
  readonly prompt: Prompt;
  readonly session: Session;
  readonly head: { readonly id: string; readonly created: number; readonly model: string };
}

function plan({ request, prompt, session }: Call): GenerationPlan {
  const { sampling, stop, ignoreEos, logprobs, echo } = request;
  return {
    promptIds: prompt.ids,
    maxTokens: roomFor(session, prompt.ids.length, request.maxTokens),
    sampling,
    stop,
    ignoreEos,
    logprobs,
    promptLogprobs: echo ? logprobs : undefined,
    detokenizer: prompt.detokenizer,
  };
}

/** A response or chunk. */
function completion(
  call: Call,
  text: string,
  tokens: readonly PlacedToken[],
  end?: { reason: FinishReason; usage: Usage | null },
): Completion {
  const logprobs = call.request.logprobs === undefined ? null : completionLogprobs(call.session.tokenizer, tokens);
  const choice = { index: 0, text, logprobs, finish_reason: end?.reason ?? null };
  const usage = end?.usage === null || end === undefined ? {} : { usage: end.usage };
  return { ...call.head, object: "text_completion", choices: [choice], ...usage };
}

function promptTokens({ prompt, request }: Call, scores: Extract<TextEvent, { kind: "prompt" }>["scores"]): PlacedToken[] {
  if (request.logprobs === undefined) return [];
  return prompt.ids.map((id, i) => ({ id, offset: prompt.offsets[i], score: scores[i] ?? null }));
}

function answerTokens({ prompt, request }: Call, tokens: readonly AnswerToken[]): PlacedToken[] {
  if (request.logprobs === undefined) return [];
  const before = request.echo ? prompt.text.length : 0;
  return tokens.map(({ id, offset, score }) => ({ id, offset: before + offset, score: score ?? null }));
}

function whole(call: Call, events: readonly TextEvent[]): Completion {
  let text = "";
  let tokens: PlacedToken[] = [];
  for (const event of events) {
    if (event.kind === "prompt" && call.request.echo) {
      text += call.prompt.text;
      tokens = tokens.concat(promptTokens(call, event.scores));
    } else if (event.kind === "text") {
      text += event.text;
      tokens = tokens.concat(answerTokens(call, event.tokens));
    } else if (event.kind === "end") return completion(call, text, tokens, event);
  }
  throw new Error("assertion failed: a generation closes with an end");
}

function chunks(call: Call, event: TextEvent): Completion[] {
  if (event.kind === "prompt") {
    return call.request.echo ? [completion(call, call.prompt.text, promptTokens(call, event.scores))] : [];
  }
  if (event.kind === "text") return [completion(call, event.text, answerTokens(call, event.tokens))];
  const last = completion(call, "", [], { reason: event.reason, usage: null });
  // OpenAI's form: usage comes alone, after the last choice.
  return call.request.includeUsage ? [last, { ...call.head, object: "text_completion", choices: [], usage: event.usage }] : [last];
}

/**
 * One completion, or a stream of its chunks.
 *
 * @throws {ShaderloomError} REQUEST.<field>, CONTEXT.full before it waits; BUSY, AbortError, GPU.* from the first token on
 */
export async function createCompletion(
  parts: EngineParts,
  request: unknown,
  options: CallOptions = {},
): Promise<Completion | AsyncIterableIterator<Completion>> {
  const { session } = parts;
  const parsed = parseCompletionRequest(request, requestLimits(session));
  const literal = typeof parsed.prompt === "string" ? parsed.prompt : undefined;
  const prompt = placePrompt(session, promptIds(session, parsed.prompt), literal);
  const call: Call = { request: parsed, prompt, session, head: responseHead(session, "cmpl") };
  const events = runPlan(parts, plan(call), options.signal);
  if (parsed.stream) return expandStream(events, (event) => chunks(call, event));
  return whole(call, await collect(events));
}
