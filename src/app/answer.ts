// Asks the engine for an answer and hands it on as text. Models without a chat template continue the text instead of answering.

import type { FinishReason, Usage } from "../index.ts";
import { requestMessages, type Turn } from "./conversation.ts";
import type { LoadedModel } from "./model_host.ts";
import { samplingRequest, type Settings } from "./settings.ts";

export type AnswerEvent =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "end"; readonly finish: FinishReason; readonly usage: Usage | undefined };

export interface AnswerRequest {
  readonly model: LoadedModel;
  /** The last one is to be answered. */
  readonly turns: readonly Turn[];
  readonly settings: Settings;
  readonly signal: AbortSignal;
}

interface Piece {
  readonly text: string;
  readonly finish: FinishReason | null;
  readonly usage: Usage | null | undefined;
}

async function* chatPieces({ model, turns, settings, signal }: AnswerRequest): AsyncGenerator<Piece> {
  const messages = requestMessages(turns, settings.systemPrompt);
  const request = { ...samplingRequest(settings), messages, stream: true, stream_options: { include_usage: true } } as const;
  for await (const { choices, usage } of await model.engine.chat.completions.create(request, { signal })) {
    yield { text: choices[0]?.delta.content ?? "", finish: choices[0]?.finish_reason ?? null, usage };
  }
}

async function* continuationPieces({ model, turns, settings, signal }: AnswerRequest): AsyncGenerator<Piece> {
  const prompt = turns.at(-1)?.question ?? "";
  const request = { ...samplingRequest(settings), prompt, stream: true, stream_options: { include_usage: true } } as const;
  for await (const { choices, usage } of await model.engine.completions.create(request, { signal })) {
    yield { text: choices[0]?.text ?? "", finish: choices[0]?.finish_reason ?? null, usage };
  }
}

/** Streams the answer to the last turn: text, then one end. Throws what the engine throws. */
export async function* streamAnswer(request: AnswerRequest): AsyncGenerator<AnswerEvent, void, undefined> {
  let finish: FinishReason = "stop";
  let usage: Usage | undefined;
  for await (const piece of request.model.info.model.chatTemplate ? chatPieces(request) : continuationPieces(request)) {
    finish = piece.finish ?? finish;
    usage = piece.usage ?? usage;
    if (piece.text !== "") yield { kind: "text", text: piece.text };
  }
  yield { kind: "end", finish, usage };
}
