// A stream of the worker's engine as an async iterator in the page. Asks for chunks by credit, only as they are consumed.

import { ShaderloomError, abortError, throwIfAborted } from "../base/errors.ts";
import { ask } from "./connection.ts";
import type { Connection } from "./connection.ts";
import { STREAM_WINDOW } from "./protocol.ts";
import type { ToWorker } from "./protocol.ts";

interface Pending<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (error: ShaderloomError) => void;
}

/** One stream's state in the page. */
interface RemoteStream<T> {
  readonly connection: Connection;
  readonly id: number;
  readonly buffer: T[];
  /** Consumers that asked before there was a chunk. */
  readonly pending: Pending<T>[];
  started: boolean;
  /** Chunks taken since credit was last given. */
  owed: number;
  /** How the stream ended; `null` is well. */
  ended: ShaderloomError | null | undefined;
}

const DONE: IteratorResult<never, undefined> = { done: true, value: undefined };

function finish<T>(stream: RemoteStream<T>, error: ShaderloomError | null): void {
  if (stream.ended !== undefined) return;
  stream.ended = error;
  const waiting = stream.pending.splice(0);
  for (const [i, consumer] of waiting.entries()) {
    // One consumer hears of the error; an iterator that has thrown is done.
    if (i === 0 && error !== null) {
      stream.ended = null;
      consumer.reject(error);
    } else consumer.resolve(DONE);
  }
}

function grant<T>(stream: RemoteStream<T>): void {
  if (!stream.started) {
    stream.started = true;
    stream.connection.send({ kind: "credit", id: stream.id, count: STREAM_WINDOW });
    return;
  }
  stream.owed++;
  // Half a window at a time: a message per chunk would double the traffic.
  if (stream.owed >= STREAM_WINDOW / 2 && stream.ended === undefined) {
    stream.connection.send({ kind: "credit", id: stream.id, count: stream.owed });
    stream.owed = 0;
  }
}

function take<T>(stream: RemoteStream<T>): Promise<IteratorResult<T, undefined>> {
  if (stream.buffer.length > 0) {
    const value = stream.buffer.shift() as T;
    grant(stream);
    return Promise.resolve({ done: false, value });
  }
  if (stream.ended instanceof ShaderloomError) {
    const error = stream.ended;
    stream.ended = null;
    return Promise.reject(error);
  }
  if (stream.ended === null) return Promise.resolve(DONE);
  if (!stream.started) grant(stream);
  return new Promise((resolve, reject) => void stream.pending.push({ resolve, reject }));
}

function deliver<T>(stream: RemoteStream<T>, value: T): void {
  const consumer = stream.pending.shift();
  if (consumer === undefined) {
    stream.buffer.push(value);
    return;
  }
  grant(stream);
  consumer.resolve({ done: false, value });
}

/** Stops the worker's side; nothing of the stream is delivered after this. */
function cancel<T>(stream: RemoteStream<T>, error: ShaderloomError | null): void {
  if (stream.ended !== undefined) return;
  stream.buffer.length = 0;
  stream.connection.close(stream.id);
  if (stream.connection.ended === undefined) stream.connection.send({ kind: "abort", id: stream.id });
  finish(stream, error);
}

/**
 * Opens a stream; resolves when the worker has accepted the request. Generation starts at the first `next()`.
 *
 * @throws {ShaderloomError} REQUEST.*, CONTEXT, TEMPLATE, AbortError, WORKER.*
 */
export async function openRemoteStream<T>(
  connection: Connection,
  method: "chat" | "completions",
  request: unknown,
  signal: AbortSignal | undefined,
): Promise<AsyncIterableIterator<T>> {
  throwIfAborted(signal);
  const id = connection.nextId();
  const stream: RemoteStream<T> = { connection, id, buffer: [], pending: [], started: false, owed: 0, ended: undefined };
  let refuse: (error: ShaderloomError) => void = () => {};
  const onAbort = (): void => {
    cancel(stream, abortError());
    refuse(abortError());
  };
  const settled = (): void => signal?.removeEventListener("abort", onAbort);
  connection.send({ kind: "stream", id, method, request });
  signal?.addEventListener("abort", onAbort, { once: true });
  await new Promise<void>((resolve, reject) => {
    refuse = reject;
    connection.open(id, {
      onResult: () => resolve(),
      onError: (error) => {
        settled();
        finish(stream, error);
        reject(error);
      },
      onChunk: (value) => deliver(stream, value as T),
      onEnd: () => {
        settled();
        finish(stream, null);
      },
    });
  });
  return {
    next: () => take(stream),
    return() {
      settled();
      cancel(stream, null);
      stream.buffer.length = 0;
      stream.ended = null;
      return Promise.resolve(DONE);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
