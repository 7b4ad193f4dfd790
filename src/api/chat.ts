// `chat.completions.create`: messages in, an answer out, whole or in chunks. OpenAI's shapes; the prompt is made elsewhere.

import { createDetokenizer } from "../text/detokenizer.ts";
import { expandStream, requestLimits, responseHead, roomFor, runPlan } from "./call.ts";
import type { EngineParts } from "./call.ts";
import { promptOf } from "./chat_prompt.ts";
import { parseChatRequest } from "./chat_request.ts";
import type { ParsedChatRequest } from "./chat_request.ts";
import type { AnswerToken, GenerationPlan, TextEvent } from "./generation.ts";
import { chatLogprobs } from "./logprobs.ts";
import { collect } from "./turn_stream.ts";
import type { CallOptions, ChatCompletion, ChatCompletionChunk, ChatLogprobs, FinishReason } from "./types.ts";

/** What a response is made of, and from what. */
interface Call {
  readonly parts: EngineParts;
  readonly request: ParsedChatRequest;
  readonly head: { readonly id: string; readonly created: number; readonly model: string };
}

type Delta = ChatCompletionChunk["choices"][number]["delta"];

function logprobsOf({ parts, request }: Call, tokens: readonly AnswerToken[]): ChatLogprobs | null {
  return request.logprobs === undefined ? null : chatLogprobs(parts.session.tokenizer, tokens);
}

function whole(call: Call, events: readonly TextEvent[]): ChatCompletion {
  let content = "";
  let tokens: AnswerToken[] = [];
  for (const event of events) {
    if (event.kind === "text") {
      content += event.text;
      tokens = tokens.concat(event.tokens);
    } else if (event.kind === "end") {
      const message = { role: "assistant" as const, content };
      const choice = { index: 0, message, logprobs: logprobsOf(call, tokens), finish_reason: event.reason };
      return { ...call.head, object: "chat.completion", choices: [choice], usage: event.usage };
    }
  }
  throw new Error("assertion failed: a generation closes with an end");
}

function chunk(call: Call, delta: Delta, logprobs: ChatLogprobs | null, reason: FinishReason | null): ChatCompletionChunk {
  const choice = { index: 0, delta, logprobs, finish_reason: reason };
  // OpenAI's form: where usage was asked for, every chunk has the field, and it is null in all but the last.
  const usage = call.request.includeUsage ? { usage: null } : {};
  return { ...call.head, object: "chat.completion.chunk", choices: [choice], ...usage };
}

function chunks(call: Call, event: TextEvent): ChatCompletionChunk[] {
  if (event.kind === "prompt") return [chunk(call, { role: "assistant", content: "" }, null, null)];
  if (event.kind === "text") return [chunk(call, { content: event.text }, logprobsOf(call, event.tokens), null)];
  const last = chunk(call, {}, null, event.reason);
  if (!call.request.includeUsage) return [last];
  return [last, { ...call.head, object: "chat.completion.chunk", choices: [], usage: event.usage }];
}

function plan({ parts, request }: Call, promptIds: readonly number[]): GenerationPlan {
  const { sampling, stop, ignoreEos, logprobs } = request;
  const { session } = parts;
  return {
    promptIds,
    maxTokens: roomFor(session, promptIds.length, request.maxTokens),
    sampling,
    stop,
    ignoreEos,
    logprobs,
    promptLogprobs: undefined,
    // An answer is a text of its own, so a first space that only marks a word's start is not part of it.
    detokenizer: createDetokenizer(session.tokenizer),
  };
}

/**
 * One chat completion, or a stream of its chunks.
 *
 * @throws {ShaderloomError} REQUEST.<field>, TEMPLATE, CONTEXT.full before it waits; BUSY, AbortError, GPU.* from the first
 * token on
 */
export async function createChatCompletion(
  parts: EngineParts,
  request: unknown,
  options: CallOptions = {},
): Promise<ChatCompletion | AsyncIterableIterator<ChatCompletionChunk>> {
  const parsed = parseChatRequest(request, requestLimits(parts.session));
  const call: Call = { parts, request: parsed, head: responseHead(parts.session, "chatcmpl") };
  const { ids } = promptOf(parts.session, parsed.messages, parsed.templateKwargs);
  const events = runPlan(parts, plan(call, ids), options.signal);
  if (parsed.stream) return expandStream(events, (event) => chunks(call, event));
  return whole(call, await collect(events));
}
