// One request: reuse what is cached, prefill in chunks, then decode (decode.ts). Pull-based: only the tokens in flight run ahead of the
// consumer, so leaving the iteration anywhere leaves the sequence exact.

import { ShaderloomError, throwIfAborted } from "../base/errors.ts";
import { decode, isDeadEnd, wantedBy } from "./decode.ts";
import type { GenerateContext } from "./generate_context.ts";
import { contextFull } from "./kv_options.ts";
import { consecutiveRows } from "./runner.ts";
import type { GenerateEvent, GenerateRequest, TokenScore } from "./session.ts";
import type { StepResult } from "./step_result.ts";

/** Generates one request's events. @throws {ShaderloomError} see `Session.generate` */
export async function* generate(context: GenerateContext, request: GenerateRequest): AsyncGenerator<GenerateEvent, void, undefined> {
  checkRequest(context, request);
  const { sequence } = context;
  let complete = false;
  try {
    const start = performance.now();
    const most = request.promptLogprobs === undefined ? request.promptIds.length - 1 : 0;
    const cachedTokens = context.runner.reuse(sequence, request.promptIds, most);
    begin(context, request);
    const { head, scores } = await prefill(context, request, cachedTokens);
    complete = true;
    yield { kind: "prompt", cachedTokens, prefillMs: performance.now() - start, scores };
    yield* decode(context, request, head);
  } catch (error) {
    // A failed or aborted prefill leaves whole chunks behind, all of them noted; only a failed step leaves unknown pages.
    if (!complete && !isAbort(error) && !isDeadEnd(error)) sequence.discard();
    throw error;
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof ShaderloomError && error.code === "AbortError";
}

/** Tells the GPU how this request's tokens are chosen. */
function begin(context: GenerateContext, request: GenerateRequest): void {
  const { runner, sequence } = context;
  const { sampling, promptIds, stopIds, mask } = request;
  runner.begin(sequence.slot, { params: sampling, promptIds, stopIds });
  if (mask && wantedBy(context, request) !== "logits") runner.setMask(sequence.slot, mask([]));
}

function checkRequest({ contextLength, kv, vocabSize, evictor }: GenerateContext, { promptIds, maxTokens }: GenerateRequest): void {
  const most = evictor?.endless ? Infinity : contextLength - (maxTokens > 0 ? 1 : 0);
  if (promptIds.length > most) throw contextFull(promptIds.length, contextLength, kv);
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

/** Rows of the next step, at most, when so many tokens of a prompt are left. */
function chunkLength({ chunkRows, evictor }: GenerateContext, left: number): number {
  const last = Math.min(evictor?.lastChunk ?? 1, chunkRows);
  // A last chunk that is too short for the policy takes some of the one before.
  return left > chunkRows && left < chunkRows + last ? left - last : Math.min(left, chunkRows);
}

async function prefill(
  context: GenerateContext,
  request: GenerateRequest,
  cachedTokens: number,
): Promise<{ head: StepResult; scores: Array<TokenScore | null> }> {
  const { runner, sequence, evictor } = context;
  const { promptIds, promptLogprobs, signal } = request;
  const wanted = wantedBy(context, request);
  const scores: Array<TokenScore | null> = promptLogprobs === undefined ? [] : [null];
  let head: StepResult = {};
  for (let start = cachedTokens; start < promptIds.length;) {
    throwIfAborted(signal);
    let count = runner.chunkRows(sequence.length, chunkLength(context, promptIds.length - start));
    if (evictor) {
      count = await evictor.beforeRows(sequence, count, "prefill");
      runner.follow(sequence);
    }
    const ids = promptIds.slice(start, start + count);
    const rows = consecutiveRows(ids, sequence.length, sequence.slot);
    const last = start + ids.length === promptIds.length;
    await runner.reserve(sequence.slot, sequence.length + ids.length);
    head = await runner.prefill({ rows, wanted: last && request.maxTokens > 0 ? wanted : undefined, signal });
    sequence.append(ids);
    await evictor?.afterRows?.(sequence, ids.length, "prefill");
    start += ids.length;
    if (promptLogprobs === undefined) continue;
    const targets = promptIds.slice(start - ids.length + 1, start + 1);
    const rowScores = await runner.score(rows, targets);
    rowScores.forEach(({ logprob, top }, index) => scores.push({ id: targets[index], logprob, top: top.slice(0, promptLogprobs) }));
  }
  if (request.maxTokens === 0) await runner.drain();
  throwIfAborted(signal);
  if (evictor?.afterPrompt) {
    await evictor.afterPrompt(sequence);
    runner.follow(sequence);
  }
  return { head, scores };
}
