// A stream of the worker's engine as an async iterator in the page. Asks for chunks by credit, only as they are consumed.

import { ShaderloomError, abortError, throwIfAborted } from "../base/errors.ts";
import { malformedError } from "./connection.ts";
import type { Connection } from "./connection.ts";
import { STREAM_WINDOW, isChunk } from "./protocol.ts";
import type { StreamMethod, Streams, ToWorker } from "./protocol.ts";

type Result<T> = IteratorResult<T, undefined>;

interface Consumer<T> {
  readonly resolve: (result: Result<T>) => void;
  readonly reject: (error: ShaderloomError) => void;
}

const DONE: Result<never> = { done: true, value: undefined };

/** The page's half of one stream. */
class RemoteStream<T> implements AsyncIterableIterator<T, undefined> {
  readonly #connection: Connection;
  readonly #id: number;
  readonly #onEnd: () => void;
  /** Chunks that came before they were asked for; at most a window of them. */
  readonly #buffer: T[] = [];
  /** Consumers that asked before there was a chunk. */
  readonly #consumers: Consumer<T>[] = [];
  #started = false;
  /** Chunks consumed since credit was last given. */
  #owed = 0;
  #ended = false;
  /** Why the stream ended, until a consumer has heard of it. */
  #error: ShaderloomError | undefined;

  /** @param onEnd called once, when nothing more can come */
  constructor(connection: Connection, id: number, onEnd: () => void) {
    this.#connection = connection;
    this.#id = id;
    this.#onEnd = onEnd;
  }

  deliver(chunk: T): void {
    const consumer = this.#consumers.shift();
    if (consumer === undefined) {
      this.#buffer.push(chunk);
      return;
    }
    this.#consumed();
    consumer.resolve({ done: false, value: chunk });
  }

  end(error?: ShaderloomError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#onEnd();
    for (const consumer of this.#consumers.splice(0)) {
      const reason = this.#takeError();
      if (reason === undefined) consumer.resolve(DONE);
      else consumer.reject(reason);
    }
  }

  /** Ends the stream here and in the worker; what was not consumed is dropped. */
  cancel(error?: ShaderloomError): void {
    this.#buffer.length = 0;
    if (this.#ended) return;
    this.#connection.close(this.#id);
    if (this.#connection.ended === undefined) this.#connection.send({ kind: "abort", id: this.#id });
    this.end(error);
  }

  next(): Promise<Result<T>> {
    const chunk = this.#buffer.shift();
    if (chunk !== undefined) {
      this.#consumed();
      return Promise.resolve({ done: false, value: chunk });
    }
    const error = this.#takeError();
    if (error !== undefined) return Promise.reject(error);
    if (this.#ended) return Promise.resolve(DONE);
    if (!this.#started) {
      this.#started = true;
      this.#connection.send({ kind: "credit", id: this.#id, count: STREAM_WINDOW });
    }
    return new Promise((resolve, reject) => void this.#consumers.push({ resolve, reject }));
  }

  return(): Promise<Result<T>> {
    this.cancel();
    this.#error = undefined;
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** An iterator that has thrown is done: the error is given once. */
  #takeError(): ShaderloomError | undefined {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }

  /** Half a window of credit at a time: a message per chunk would double the traffic. */
  #consumed(): void {
    this.#owed++;
    if (this.#owed < STREAM_WINDOW / 2 || this.#ended) return;
    this.#connection.send({ kind: "credit", id: this.#id, count: this.#owed });
    this.#owed = 0;
  }
}

/** What names a stream in a message. */
export interface StreamCall<M extends StreamMethod> {
  readonly method: M;
  readonly message: (id: number) => Extract<ToWorker, { kind: "stream" }>;
  readonly signal: AbortSignal | undefined;
}

/**
 * Opens a stream; resolves when the worker has accepted the request. Generation starts at the first `next()`.
 *
 * @throws {ShaderloomError} REQUEST.*, CONTEXT, TEMPLATE, AbortError, WORKER.*
 */
export async function openRemoteStream<M extends StreamMethod>(
  connection: Connection,
  call: StreamCall<M>,
): Promise<AsyncIterableIterator<Streams[M]["chunk"]>> {
  const { method, message, signal } = call;
  throwIfAborted(signal);
  const id = connection.nextId();
  connection.send(message(id));
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      stream.cancel(abortError());
      // Settles the opening; once open, only the iterator speaks.
      reject(abortError());
    };
    const stream = new RemoteStream<Streams[M]["chunk"]>(connection, id, () => signal?.removeEventListener("abort", onAbort));
    signal?.addEventListener("abort", onAbort, { once: true });
    connection.open(id, {
      isStream: true,
      onResult: () => resolve(stream),
      onError: (error) => {
        stream.end(error);
        reject(error);
      },
      onChunk: (value) => {
        if (isChunk(method, value)) stream.deliver(value);
        else stream.cancel(malformedError());
      },
      onEnd: () => stream.end(),
    });
  });
}
