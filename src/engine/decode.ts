// The decode loop of one request: as many steps in flight as the pace says, results in order, a token of each. Whatever ends it, the sequence
// holds the tokens that were given and no other.

import { untilAborted } from "../base/abort.ts";
import { assert, ShaderloomError, throwIfAborted } from "../base/errors.ts";
import { Flight } from "./flight.ts";
import type { GenerateContext } from "./generate_context.ts";
import type { GenerateEvent, GenerateRequest, TokenScore } from "./session.ts";
import type { StepResult, Wanted } from "./step_result.ts";

/** Only an id leaves the GPU, with the score that was asked for; all logits where the CPU chooses, or tells of more than the GPU does. */
export function wantedBy({ runner, sampler }: GenerateContext, { logprobs }: GenerateRequest): Wanted {
  if (sampler === "cpu" || (logprobs ?? 0) > runner.scoreTopK) return "logits";
  return logprobs === undefined ? "id" : "scored";
}

/** @param first  what the prompt's last row gave */
export async function* decode(
  context: GenerateContext,
  request: GenerateRequest,
  first: StepResult,
): AsyncGenerator<GenerateEvent, void, undefined> {
  const { maxTokens, stopIds, signal } = request;
  const completionIds: number[] = [];
  let decodeMs = 0;
  let head = first;
  const end = (reason: "stop" | "length"): GenerateEvent => ({ kind: "end", reason, decodeMs, generated: completionIds.length });
  if (maxTokens === 0) {
    yield end("length");
    return;
  }
  const steps = new DecodeSteps(context, request);
  try {
    for (;;) {
      throwIfAborted(signal);
      const token = head.logits ? await chooseToken(head.logits, request, completionIds) : chosenToken(head, request);
      completionIds.push(token.id);
      context.onToken();
      yield { kind: "token", ...token };
      if (stopIds.has(token.id)) return yield end("stop");
      throwIfAborted(signal);
      const start = performance.now();
      const next = await steps.next(completionIds);
      if (next === undefined) return yield end("length");
      decodeMs += performance.now() - start;
      head = next;
    }
  } finally {
    steps.leave();
  }
}

/** The steps of a request after its first token. */
class DecodeSteps {
  readonly #context: GenerateContext;
  readonly #mask: GenerateRequest["mask"];
  readonly #signal: AbortSignal | undefined;
  readonly #wanted: Wanted;
  readonly #flight: Flight<StepResult>;
  /** Steps that may still be submitted. */
  #left: number;
  #position: number;
  /** Whether the last step submitted leaves its token for the next on the GPU. */
  #resident = false;
  /** What ends the request once the steps before it were given. */
  #failure: unknown;

  constructor(context: GenerateContext, request: GenerateRequest) {
    const { sequence, contextLength, pace, evictor } = context;
    this.#context = context;
    this.#mask = request.mask;
    this.#signal = request.signal;
    this.#wanted = wantedBy(context, request);
    this.#position = sequence.length;
    // The last token needs no step of its own.
    this.#left = Math.min(request.maxTokens - 1, evictor?.endless ? Infinity : contextLength - sequence.ids.length);
    const most = this.#wanted === "logits" || request.mask ? 1 : evictor?.mostInFlight;
    this.#flight = new Flight(pace, most === undefined ? {} : { most });
  }

  /**
   * The result of the step that the last token given goes into; undefined when there is no room for it.
   * @throws {ShaderloomError} AbortError, GPU.numeric, GRAMMAR.dead_end, GPU.lost, GPU.oom
   */
  async next(completionIds: readonly number[]): Promise<StepResult | undefined> {
    const { sequence } = this.#context;
    const token = completionIds[completionIds.length - 1];
    await this.#fill(token, completionIds);
    if (this.#flight.size === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      return undefined;
    }
    try {
      // Weights that are streamed may be long in coming.
      const result = await untilAborted(this.#flight.next(), this.#signal);
      sequence.append([token]);
      await this.#context.evictor?.afterRows?.(sequence, 1, "decode");
      return result;
    } catch (error) {
      if (this.#signal?.aborted) throw error;
      // A step that found nothing to choose wrote its token all the same; which pages a failed one wrote is not known.
      if (isDeadEnd(error)) sequence.append([token]);
      else sequence.discard();
      throw error;
    }
  }

  /** Lets go of steps in flight. They write behind the sequence's end, where the next request writes after them. */
  leave(): void {
    const { runner, sequence, onDiscard } = this.#context;
    onDiscard(this.#flight.leave());
    runner.abandon();
    sequence.trim();
  }

  /** Whether a policy has to drop tokens before the next step. */
  get #crowded(): boolean {
    return this.#position >= (this.#context.evictor?.keep ?? Infinity);
  }

  async #makeRoom(): Promise<void> {
    const { evictor, runner, sequence } = this.#context;
    await evictor?.beforeRows(sequence, 1, "decode");
    runner.follow(sequence);
    this.#position = sequence.length;
    // The GPU has the step's old place.
    this.#resident = false;
  }

  async #fill(token: number, completionIds: readonly number[]): Promise<void> {
    const { runner, sequence } = this.#context;
    const { slot } = sequence;
    while (this.#flight.room && this.#left > 0) {
      try {
        if (this.#crowded) {
          // Those in flight land first.
          if (this.#flight.size > 0) return;
          await this.#makeRoom();
        }
        const growing = runner.reserve(slot, this.#position + 1);
        if (growing) await growing;
      } catch (error) {
        this.#failure = error;
        this.#left = 0;
        return;
      }
      if (this.#mask && this.#wanted !== "logits") runner.setMask(slot, this.#mask(completionIds));
      const known = this.#resident ? undefined : token;
      this.#flight.launch(runner.submitDecode({ slot, position: this.#position, token: known, wanted: this.#wanted }));
      this.#resident = this.#wanted !== "logits";
      this.#position++;
      this.#left--;
    }
  }
}

interface Token {
  readonly id: number;
  readonly score?: TokenScore;
}

/** What the GPU chose. */
function chosenToken({ id, score }: StepResult, { logprobs }: GenerateRequest): Token {
  assert(id !== undefined, "a step gives an id or logits");
  if (!score || logprobs === undefined) return { id };
  return { id, score: { id, logprob: score.logprob, top: score.top.slice(0, logprobs) } };
}

/** What the CPU chooses; its sampler is a chunk of its own, as the GPU chooses in most requests. */
async function chooseToken(logits: Float32Array, request: GenerateRequest, completionIds: readonly number[]): Promise<Token> {
  const { sampleToken, scoreToken } = await import("../sampling/sampler.ts");
  const allowed = request.mask?.(completionIds);
  const history = { promptIds: request.promptIds, completionIds, ...(allowed && { allowed }) };
  const id = sampleToken(logits, request.sampling, history, completionIds.length);
  return request.logprobs === undefined ? { id } : { id, score: scoreToken(logits, id, request.logprobs) };
}

/** Whether a request ended because its mask left nothing to choose. */
export function isDeadEnd(error: unknown): boolean {
  return error instanceof ShaderloomError && error.code === "GRAMMAR.dead_end";
}
