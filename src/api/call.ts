// What both endpoints do around a generation: the engine's parts, the room left in the context, ids and time stamps.

import { type ShaderloomError, throwIfAborted } from "../base/errors.ts";
import { contextFull } from "../engine/kv_options.ts";
import type { Session } from "../engine/session.ts";
import { generateText } from "./generation.ts";
import type { GenerationPlan, TextEvent } from "./generation.ts";
import type { TurnQueue } from "./queue.ts";
import type { RequestLimits } from "./sampling_request.ts";
import { createTurnStream } from "./turn_stream.ts";

/** A loaded model and who waits for it. */
export interface EngineParts {
  readonly session: Session;
  readonly queue: TurnQueue;
  /** What `unload()` calls to end the streams that run or wait. */
  readonly closers: Set<(error: ShaderloomError) => void>;
}

export function requestLimits(session: Session): RequestLimits {
  return { vocabSize: session.info().vocabSize, freshSeed: Math.floor(Math.random() * 2 ** 32) };
}

/**
 * Tokens that may be generated: what was asked for, or what is left. Where a policy makes room, a context's worth.
 *
 * @param wanted undefined for all that is left; 0 to score the prompt only
 * @throws {ShaderloomError} CONTEXT.full when the prompt leaves no room
 */
export function roomFor(session: Session, promptTokens: number, wanted: number | undefined): number {
  const { contextLength, evict, kv } = session.info();
  if (evict !== undefined) return wanted ?? contextLength;
  const left = contextLength - promptTokens;
  if (left < 0 || (left === 0 && wanted !== 0)) throw contextFull(promptTokens, contextLength, kv);
  return Math.min(wanted ?? left, left);
}

/**
 * The events of one request. Takes its turn at the first `next()`, so a stream that nobody reads holds nothing.
 *
 * @throws {ShaderloomError} AbortError at once when the signal has fired
 */
export function runPlan(parts: EngineParts, plan: GenerationPlan, signal: AbortSignal | undefined): AsyncIterableIterator<TextEvent> {
  throwIfAborted(signal);
  return createTurnStream({
    queue: parts.queue,
    signal,
    closers: parts.closers,
    body: (combined, askedMs) => generateText(parts.session, plan, combined, askedMs),
  });
}

/** Head of a response: id, time, model. */
export function responseHead(session: Session, prefix: "chatcmpl" | "cmpl"): { id: string; created: number; model: string } {
  // Not for secrecy, so it need not wait for a secure context as crypto.randomUUID does.
  const random = Array.from({ length: 3 }, () => Math.floor(Math.random() * 2 ** 32).toString(36)).join("");
  return { id: `${prefix}-${random}`, created: Math.floor(Date.now() / 1000), model: session.info().name };
}

/**
 * Another iterator's values, one to any number. Returning early returns the source.
 *
 * @param expand what one event becomes
 */
export function expandStream<T>(
  source: AsyncIterableIterator<TextEvent>,
  expand: (event: TextEvent) => readonly T[],
): AsyncIterableIterator<T> {
  const ready: T[] = [];
  return {
    async next() {
      for (;;) {
        const value = ready.shift();
        if (value !== undefined) return { done: false, value };
        const result = await source.next();
        if (result.done === true) return { done: true, value: undefined };
        ready.push(...expand(result.value));
      }
    },
    async return() {
      ready.length = 0;
      await source.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
