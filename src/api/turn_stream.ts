// A stream that holds the engine from its first `next()` to its end, and no longer, whatever its consumer does: reads to the
// end, breaks, throws, aborts, or never starts. An abort or an unload frees the engine even while nobody is pulling.

import { abortError, type ShaderloomError, throwIfAborted } from "../base/errors.ts";
import type { TurnQueue } from "./queue.ts";

/** What a stream runs on. */
export interface StreamSource<T> {
  readonly queue: TurnQueue;
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
  /** Called with the error to end with when the engine closes; the stream is among them while it runs or waits. */
  readonly closers: Set<(error: ShaderloomError) => void>;
  /**
   * Runs once the turn is taken.
   * @param signal fires for the caller's abort and for the engine's end
   * @param askedMs when the stream began to wait for its turn
   */
  readonly body: (signal: AbortSignal, askedMs: number) => AsyncGenerator<T, void, undefined>;
}

async function* holdTurn<T>(source: StreamSource<T>, signal: AbortSignal): AsyncGenerator<T, void, undefined> {
  const askedMs = performance.now();
  const release = await source.queue.take(signal);
  try {
    throwIfAborted(signal);
    yield* source.body(signal, askedMs);
  } finally {
    release();
  }
}

/**
 * The stream as an iterator. Does nothing until the first `next()`.
 *
 * After an abort the next `next()` rejects with AbortError and later ones are done, as after any error of the body.
 */
export function createTurnStream<T>(source: StreamSource<T>): AsyncIterableIterator<T> {
  const controller = new AbortController();
  const inner = holdTurn(source, controller.signal);
  let state: "new" | "open" | "ended" = "new";
  /** Of the abort or the engine's end. */
  let failure: ShaderloomError | undefined;
  const unlisten = (): void => {
    source.closers.delete(close);
    source.signal?.removeEventListener("abort", onAbort);
  };
  const close = (error: ShaderloomError): void => {
    failure = error;
    unlisten();
    controller.abort(error);
    // A generator that rests at a yield sees no signal; this runs its `finally`. What that throws has no one to hear it.
    inner.return().catch(() => undefined);
  };
  const onAbort = (): void => close(abortError(source.signal));
  // At the first `next()` and not before, so that a stream that nobody reads leaves nothing behind.
  const start = (): void => {
    state = "open";
    source.closers.add(close);
    source.signal?.addEventListener("abort", onAbort, { once: true });
    if (source.signal?.aborted === true) onAbort();
  };
  const end = (): void => {
    state = "ended";
    failure = undefined;
    unlisten();
  };
  const check = (): void => {
    if (failure) throw failure;
  };
  return {
    async next() {
      if (state === "new") start();
      try {
        check();
        const result = await inner.next();
        // An abort while the body ran wins over what it still gave.
        check();
        if (result.done === true) end();
        return result;
      } catch (error) {
        end();
        throw error;
      }
    },
    async return() {
      end();
      await inner.return();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Reads a stream to its end. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}
