// One HTTP request as a response and a stream of chunks, under an idle timer and a signal. Knows statuses and CORS; byte
// ranges are file.ts, retries retry.ts.

import { untilAborted } from "../../base/abort.ts";
import { abortError, throwIfAborted } from "../../base/errors.ts";
import { corsRefused, interrupted, stalled, statusError, unreachable } from "./errors.ts";

export interface TransferContext {
  readonly url: URL;
  /** For messages. */
  readonly name: string;
  readonly fetch: typeof fetch;
  readonly headers: Record<string, string>;
  /** Without a byte for this long, the transfer has stalled. */
  readonly stallMs: number;
  /** The origin that runs this code, undefined outside a browser; decides whether CORS can be the reason of a failure. */
  readonly origin: string | undefined;
  /** When bytes last came on any transfer that shares this; a request that waits for them in the browser's queue has not stalled. */
  readonly activity: { at: number };
  /** Buffers that bodies are read into, kept from transfer to transfer. */
  readonly spareRuns: ArrayBuffer[];
  /** Told of each run of bytes of a body. */
  readonly onNetworkBytes: ((count: number) => void) | undefined;
}

export interface Transfer {
  readonly response: Response;
  /** The body; leaving the loop early ends the transfer. To be iterated once, and each run is gone with the next. */
  chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined>;
  /** Ends a transfer whose body is not wanted. */
  cancel(): void;
}

/**
 * Sends a GET and waits for a success status.
 *
 * @throws {ShaderloomError} NET.*, SOURCE.denied, .missing, .status or AbortError
 */
export async function startTransfer(context: TransferContext, range: string, signal: AbortSignal | undefined): Promise<Transfer> {
  throwIfAborted(signal);
  const { url, name } = context;
  const idle = idleTimer(context.stallMs, signal, context.activity);
  let response: Response;
  try {
    const request: RequestInit = {
      headers: { ...context.headers, range },
      signal: idle.signal,
      // Browsers let one reader at a time into an entry of their HTTP cache, which would put parallel ranges in a queue.
      cache: "no-store",
    };
    response = await idle.race(context.fetch(url, request));
  } catch (thrown) {
    idle.stop();
    if (signal?.aborted) throw abortError();
    if (idle.fired()) throw stalled(name, context.stallMs);
    if (await refusedByCors(context, signal)) throw corsRefused(name);
    throw unreachable(name, thrown);
  }
  const cancel = (): void => {
    idle.stop();
    idle.abort();
  };
  if (!response.ok) {
    cancel();
    throw statusError(name, response);
  }
  return { response, cancel, chunks: () => readChunks({ context, response, idle, signal }) };
}

interface Body {
  readonly context: TransferContext;
  readonly response: Response;
  readonly idle: IdleTimer;
  readonly signal: AbortSignal | undefined;
}

async function* readChunks({ context, response, idle, signal }: Body): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const body = response.body === null ? undefined : bodyReader(response.body, context.spareRuns);
  // Cancelling ends a read that waits, also where the connection itself ignores its signal.
  idle.onAbort(() => body?.cancel());
  try {
    for (;;) {
      idle.restart();
      const value = await body?.read();
      idle.pause(); // the time that the consumer takes is not the server's
      if (idle.signal.aborted) throw abortError();
      if (value === undefined) return;
      context.activity.at = performance.now();
      context.onNetworkBytes?.(value.length);
      yield value;
    }
  } catch (thrown) {
    if (signal?.aborted) throw abortError();
    if (idle.fired()) throw stalled(context.name, context.stallMs);
    throw interrupted(context.name, thrown);
  } finally {
    body?.release();
    idle.stop();
    idle.abort();
  }
}

interface BodyReader {
  /** The next bytes, until there are no more. Those of before are gone. */
  read(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  cancel(): void;
  /** Gives up what the bytes lie in. */
  release(): void;
}

/** Bytes of a run at most; about what browsers have ready at once. */
const runBytes = 512 << 10;

/** Reads into one buffer again and again, where bodies can be read so: the runs of a large file would else be as much garbage as the file. */
function bodyReader(body: ReadableStream<Uint8Array<ArrayBuffer>>, spare: ArrayBuffer[]): BodyReader {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch {
    return plainReader(body.getReader());
  }
  let buffer: ArrayBuffer | undefined = spare.pop() ?? new ArrayBuffer(runBytes);
  return {
    read: async () => {
      if (buffer === undefined) return undefined;
      const view = new Uint8Array(buffer);
      buffer = undefined;
      const { done, value } = await reader.read(view);
      buffer = value?.buffer;
      return done ? undefined : value;
    },
    cancel: () => void reader.cancel().catch(() => undefined),
    release: () => {
      if (buffer !== undefined) spare.push(buffer);
      buffer = undefined;
    },
  };
}

function plainReader(reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>): BodyReader {
  return {
    read: async () => {
      const { done, value } = await reader.read();
      return done ? undefined : value;
    },
    cancel: () => void reader.cancel().catch(() => undefined),
    release: () => undefined,
  };
}

interface IdleTimer {
  /** Aborts with the caller's signal, when time is up, and on `abort`. */
  readonly signal: AbortSignal;
  /** Settles with the promise, or rejects on abort even when the promise never settles. */
  race<T>(promise: Promise<T>): Promise<T>;
  restart(): void;
  pause(): void;
  abort(): void;
  /** Called on abort, in place of one given before. What it refers to stays: Chromium 156 collects some streams while they are read. */
  onAbort(end: () => void): void;
  /** True when time ran out. */
  fired(): boolean;
  /** Forgets timer and caller's signal. */
  stop(): void;
}

/** @param activity while the answer has not begun, bytes elsewhere count as signs of life */
function idleTimer(stallMs: number, outer: AbortSignal | undefined, activity?: { readonly at: number }): IdleTimer {
  const controller = new AbortController();
  let expired = false;
  let waiting = activity;
  let end: (() => void) | undefined;
  /** Undefined while time does not count. */
  let since: number | undefined = performance.now();
  const abort = (): void => {
    controller.abort();
    end?.();
  };
  // One timer that looks again, not one for each run of bytes: a large file has thousands of those.
  const look = (): void => {
    const left = since === undefined ? stallMs : Math.max(since, waiting?.at ?? -Infinity) + stallMs - performance.now();
    if (left > 0) {
      timer = setTimeout(look, Math.ceil(left));
      return;
    }
    expired = true;
    abort();
  };
  let timer = setTimeout(look, stallMs);
  outer?.addEventListener("abort", abort, { once: true });
  return {
    signal: controller.signal,
    race: (promise) => untilAborted(promise, controller.signal),
    restart: () => {
      waiting = undefined;
      since = performance.now();
    },
    pause: () => {
      since = undefined;
    },
    abort,
    onAbort: (given) => {
      end = given;
    },
    fired: () => expired,
    stop: () => {
      clearTimeout(timer);
      outer?.removeEventListener("abort", abort);
    },
  };
}

/**
 * A browser tells a CORS refusal and a dead server apart to nobody. A request whose answer we may not look at still succeeds
 * when the server is there, and then CORS was the reason.
 */
async function refusedByCors(context: TransferContext, signal: AbortSignal | undefined): Promise<boolean> {
  const { url, origin, stallMs } = context;
  if (origin === undefined || origin === url.origin) return false;
  const idle = idleTimer(stallMs, signal);
  try {
    await idle.race(context.fetch(url, { method: "HEAD", mode: "no-cors", cache: "no-store", signal: idle.signal }));
    return true;
  } catch {
    return false;
  } finally {
    idle.stop();
    idle.abort();
  }
}
