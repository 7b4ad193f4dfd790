// The loop of one request: reuse what is cached, prefill in chunks, then a token a step. Pull-based: nothing runs ahead of the
// consumer, so leaving the iteration anywhere leaves the sequence exact.

import { assert, ShaderloomError, throwIfAborted } from "../base/errors.ts";
import { isPlainGreedy } from "../sampling/params.ts";
import { sampleToken, scoreToken } from "../sampling/sampler.ts";
import { consecutiveRows, type HeadResult, type Runner } from "./runner.ts";
import type { Sequence } from "./sequence.ts";
import type { GenerateEvent, GenerateRequest, TokenScore } from "./session.ts";

export interface GenerateContext {
  readonly runner: Runner;
  readonly sequence: Sequence;
  readonly contextLength: number;
  readonly vocabSize: number;
  /** Rows of a prefill step. */
  readonly chunkRows: number;
  /** Called for each generated token. */
  readonly onToken: () => void;
}

/** Generates one request's events. @throws {ShaderloomError} see `Session.generate` */
export async function* generate(context: GenerateContext, request: GenerateRequest): AsyncGenerator<GenerateEvent, void, undefined> {
  checkRequest(context, request);
  const { sequence } = context;
  let complete = false;
  try {
    const start = performance.now();
    const cachedTokens = request.promptLogprobs === undefined ? sequence.reuse(request.promptIds) : 0;
    if (cachedTokens === 0) sequence.reset();
    context.runner.truncate(sequence.slot, cachedTokens);
    const { head, scores } = await prefill(context, request, cachedTokens);
    complete = true;
    yield { kind: "prompt", cachedTokens, prefillMs: performance.now() - start, scores };
    yield* decode(context, request, head);
  } catch (error) {
    // A failed or aborted prefill leaves whole chunks behind, all of them noted; only a failed step leaves unknown pages.
    if (!complete && !(error instanceof ShaderloomError && error.code === "AbortError")) sequence.reset();
    throw error;
  }
}

function checkRequest({ contextLength, vocabSize }: GenerateContext, { promptIds, maxTokens }: GenerateRequest): void {
  const most = contextLength - (maxTokens > 0 ? 1 : 0);
  if (promptIds.length > most) {
    throw new ShaderloomError(
      "CONTEXT.full",
      `The prompt has ${promptIds.length} tokens and the context holds ${contextLength}. Shorten the conversation, start a new chat, or load with a larger contextLength.`,
      { detail: { have: promptIds.length, max: contextLength } },
    );
  }
  if (promptIds.length === 0) throw new ShaderloomError("REQUEST.prompt", "The prompt has no tokens. Give at least one.");
  const bad = promptIds.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (bad !== undefined) {
    throw new ShaderloomError(
      "REQUEST.prompt",
      `Token id ${bad} is not in the vocabulary of ${vocabSize}. Give ids of this model's tokenizer.`,
      {
        detail: { id: bad, vocabSize },
      },
    );
  }
}

async function prefill(
  { runner, sequence, chunkRows }: GenerateContext,
  request: GenerateRequest,
  cachedTokens: number,
): Promise<{ head: HeadResult; scores: Array<TokenScore | null> }> {
  const { promptIds, promptLogprobs, signal } = request;
  const wanted = headFor(request);
  const scores: Array<TokenScore | null> = promptLogprobs === undefined ? [] : [null];
  let head: HeadResult = {};
  for (let start = cachedTokens; start < promptIds.length; start += chunkRows) {
    throwIfAborted(signal);
    const ids = promptIds.slice(start, start + chunkRows);
    const rows = consecutiveRows(ids, start, sequence.slot);
    const last = start + ids.length === promptIds.length;
    head = await runner.prefill(rows, last && request.maxTokens > 0 ? wanted : undefined);
    sequence.append(ids);
    if (promptLogprobs === undefined) continue;
    const targets = promptIds.slice(start + 1, start + 1 + ids.length);
    const rowScores = await runner.score(rows, targets);
    rowScores.forEach(({ logprob, top }, index) => scores.push({ id: targets[index], logprob, top: top.slice(0, promptLogprobs) }));
  }
  throwIfAborted(signal);
  return { head, scores };
}

/** Only an id leaves the GPU unless logits are needed for sampling or scores. */
function headFor(request: GenerateRequest): "pick" | "logits" {
  return isPlainGreedy(request.sampling) && request.logprobs === undefined ? "pick" : "logits";
}

async function* decode(
  context: GenerateContext,
  request: GenerateRequest,
  first: HeadResult,
): AsyncGenerator<GenerateEvent, void, undefined> {
  const { runner, sequence, contextLength } = context;
  const completionIds: number[] = [];
  const wanted = headFor(request);
  let decodeMs = 0;
  let head = first;
  const end = (reason: "stop" | "length"): GenerateEvent => ({ kind: "end", reason, decodeMs, generated: completionIds.length });
  while (completionIds.length < request.maxTokens) {
    throwIfAborted(request.signal);
    const token = chooseToken(head, request, completionIds);
    completionIds.push(token.id);
    context.onToken();
    yield { kind: "token", ...token };
    if (request.stopIds.has(token.id)) {
      yield end("stop");
      return;
    }
    if (completionIds.length >= request.maxTokens || sequence.length >= contextLength) break;
    throwIfAborted(request.signal);
    const start = performance.now();
    const row = { token: token.id, position: sequence.length, slot: sequence.slot };
    try {
      head = await runner.decode(row, wanted);
    } catch (error) {
      sequence.reset();
      throw error;
    }
    sequence.append([token.id]);
    decodeMs += performance.now() - start;
  }
  yield end("length");
}

function chooseToken(head: HeadResult, request: GenerateRequest, completionIds: readonly number[]): { id: number; score?: TokenScore } {
  if (head.id !== undefined) return { id: head.id };
  assert(head.logits, "a step gives an id or logits");
  const history = { promptIds: request.promptIds, completionIds };
  const id = sampleToken(head.logits, request.sampling, history, completionIds.length);
  return request.logprobs === undefined ? { id } : { id, score: scoreToken(head.logits, id, request.logprobs) };
}
