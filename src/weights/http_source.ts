// A ByteSource over HTTP byte ranges, with retries from where a transfer stopped; of a server without ranges the whole file
// is read once into a Blob, which the browser may keep on disk. Caches nothing between sessions.

import { ShaderloomError, abortError, asShaderloomError, throwIfAborted } from "../base/errors.ts";
import { openBlobSource } from "./blob_source.ts";
import { checkRange, closedSource } from "./byte_source.ts";
import type { ByteSource } from "./byte_source.ts";
import { changed, endedEarly, tooLarge, webPage, wrongRange } from "./http_errors.ts";
import { startTransfer } from "./http_transfer.ts";
import type { Transfer, TransferContext } from "./http_transfer.ts";

export interface HttpSourceOptions {
  readonly signal?: AbortSignal;
  readonly fetch?: typeof fetch;
  readonly headers?: Record<string, string>;
  /** Milliseconds without a byte after which a transfer is given up and retried; 30,000. */
  readonly stallMs?: number;
  /** Attempts after the first that may fail in a row without bringing new bytes; 5. */
  readonly retries?: number;
  /** Wait before the first retry, doubled for each further one; 500. */
  readonly backOffMs?: number;
  /** The largest file to hold in memory when the server has no ranges; 4 GiB. */
  readonly maxBufferedBytes?: number;
  /** Told while a file is read whole on opening, because its server has no ranges; `total` is unknown at some servers. */
  readonly onReceive?: (received: number, total: number | undefined) => void;
  /** The origin of the page, for telling CORS refusals; found out unless given. */
  readonly origin?: string;
}

interface Settings {
  readonly context: TransferContext;
  readonly retries: number;
  readonly backOffMs: number;
  readonly maxBufferedBytes: number;
  readonly onReceive: ((received: number, total: number | undefined) => void) | undefined;
}

const firstBytes = 1 << 20;
const looseBytes = 32 << 20;
const longestBackOffMs = 30_000;
/** An attempt that brought this much starts the count of failures anew; less could keep a dripping server going for hours. */
const progressBytes = 64 << 10;

/** @throws {ShaderloomError} NET.*, SOURCE.*, LIMIT.memory or AbortError */
export async function openHttpSource(url: URL, options: HttpSourceOptions = {}): Promise<ByteSource> {
  const settings = settingsOf(url, options);
  for (let failures = 0; ; failures++) {
    try {
      return await openOnce(settings, options.signal);
    } catch (thrown) {
      await backOff(settings, { error: asShaderloomError(thrown, "NET.internal"), failures, signal: options.signal });
    }
  }
}

function settingsOf(url: URL, options: HttpSourceOptions): Settings {
  const context: TransferContext = {
    url,
    name: url.protocol.startsWith("http") ? `${url.origin}${url.pathname}` : `the ${url.protocol} address`,
    // Unbound, because a window's fetch insists on its own `this`.
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    headers: options.headers ?? {},
    stallMs: options.stallMs ?? 30_000,
    origin: options.origin ?? ("location" in globalThis ? globalThis.location.origin : undefined),
  };
  const { retries = 5, backOffMs = 500, maxBufferedBytes = 4 * 2 ** 30, onReceive } = options;
  return { context, retries, backOffMs, maxBufferedBytes, onReceive };
}

async function openOnce(settings: Settings, signal: AbortSignal | undefined): Promise<ByteSource> {
  const { context } = settings;
  const transfer = await startTransfer(context, `bytes=0-${firstBytes - 1}`, signal);
  if (transfer.response.status !== 206) return readWhole(settings, transfer);
  const range = parseContentRange(transfer.response.headers.get("content-range"));
  if (range !== undefined && range.start !== 0) {
    transfer.cancel();
    throw wrongRange(context.name, "it sent another range than the first bytes");
  }
  const head = await collect(transfer, { limit: firstBytes, name: context.name });
  refuseWebPage(context.name, transfer.response, head);
  const total = range === undefined ? await totalWithoutRange(context, signal) : range.total;
  if (head.length > total) throw wrongRange(context.name, "it sent more bytes than it says the file has");
  return rangeSource(settings, { head, size: total, validator: validatorOf(transfer.response) });
}

/** The body up to `limit` bytes. */
async function collect(transfer: Transfer, { limit, name }: { limit: number; name: string }): Promise<Uint8Array> {
  const out = new Uint8Array(limit);
  let length = 0;
  for await (const chunk of transfer.chunks()) {
    if (length + chunk.length > limit) throw wrongRange(name, "it sent more bytes than were asked for");
    out.set(chunk, length);
    length += chunk.length;
  }
  return out.slice(0, length);
}

/** CORS hides Content-Range unless the server exposes it, but never Content-Length: an open range has the total as length. */
async function totalWithoutRange(context: TransferContext, signal: AbortSignal | undefined): Promise<number> {
  const transfer = await startTransfer(context, "bytes=0-", signal);
  transfer.cancel();
  const total = contentLength(transfer.response);
  if (total === undefined) throw wrongRange(context.name, "it hides how long the file is");
  return total;
}

function refuseWebPage(name: string, response: Response, head: Uint8Array): void {
  const type = response.headers.get("content-type") ?? "";
  const start = new TextDecoder().decode(head.subarray(0, 64)).trimStart();
  if (type.startsWith("text/html") && start.startsWith("<")) throw webPage(name);
}

interface RangeState {
  readonly head: Uint8Array;
  readonly size: number;
  readonly validator: string | null;
}

function rangeSource(settings: Settings, state: RangeState): ByteSource {
  const { name } = settings.context;
  const closing = new AbortController();
  let head = state.head;
  return {
    name,
    size: state.size,
    read: async (offset, length, { signal, onBytes } = {}) => {
      throwIfAborted(signal);
      checkRange({ name, size: state.size }, offset, length);
      if (closing.signal.aborted) throw closedSource(name);
      if (offset + length <= head.length) return head.subarray(offset, offset + length);
      const either = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
      return readRange(settings, { state, offset, length, signal: either, onBytes });
    },
    close: () => {
      head = new Uint8Array(0);
      closing.abort();
    },
  };
}

interface RangeRead {
  readonly state: RangeState;
  readonly offset: number;
  readonly length: number;
  readonly signal: AbortSignal;
  readonly onBytes?: ((count: number) => void) | undefined;
}

async function readRange(settings: Settings, { state, offset, length, signal, onBytes }: RangeRead): Promise<Uint8Array> {
  const out = new Uint8Array(length);
  let done = 0;
  let failures = 0;
  while (done < length) {
    const before = done;
    try {
      const { chunks, promised } = await startRange(settings.context, { state, offset: offset + done, length: length - done, signal });
      for await (const chunk of chunks) {
        if (chunk.length > length - done) throw wrongRange(settings.context.name, "it sent more bytes than were asked for");
        out.set(chunk, done);
        done += chunk.length;
        onBytes?.(chunk.length);
      }
      if (done - before < promised || done === before) throw endedEarly(settings.context.name, done, length);
    } catch (thrown) {
      if (done - before >= progressBytes) failures = 0;
      await backOff(settings, { error: asShaderloomError(thrown, "NET.internal"), failures, signal });
      failures++;
    }
  }
  return out;
}

/** Asks for a range and checks that the answer is one of the same file; `promised` is how much of it the server will send. */
async function startRange(context: TransferContext, read: RangeRead): Promise<{ chunks: AsyncIterable<Uint8Array>; promised: number }> {
  const { state, offset, length, signal } = read;
  const transfer = await startTransfer(context, `bytes=${offset}-${offset + length - 1}`, signal);
  try {
    if (transfer.response.status !== 206)
      throw wrongRange(context.name, `it answered with status ${transfer.response.status} instead of 206`);
    if (validatorOf(transfer.response) !== state.validator) throw changed(context.name);
    const range = parseContentRange(transfer.response.headers.get("content-range"));
    if (range === undefined) return { chunks: transfer.chunks(), promised: length };
    if (range.total !== state.size) throw changed(context.name);
    // A shorter range than asked for is the server's right (RFC 9110, 15.3.7); the rest is then asked for.
    if (range.start !== offset || range.end >= offset + length) throw wrongRange(context.name, "it sent another range than was asked for");
    return { chunks: transfer.chunks(), promised: range.end - range.start + 1 };
  } catch (thrown) {
    transfer.cancel();
    throw thrown;
  }
}

/** What tells one version of the file from the next, as far as the server (and CORS) lets us see it. */
function validatorOf(response: Response): string | null {
  return response.headers.get("etag") ?? response.headers.get("last-modified");
}

/** `bytes 0-99/1234`; undefined when absent, unreadable, or without a total. */
export function parseContentRange(header: string | null): { start: number; end: number; total: number } | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(header?.trim() ?? "");
  if (match === null) return undefined;
  const [start, end, total] = match.slice(1).map(Number);
  return start <= end && end < total ? { start, end, total } : undefined;
}

/** Content-Length, when it counts the bytes that we see: under a Content-Encoding it counts the compressed ones. */
function contentLength(response: Response): number | undefined {
  const header = response.headers.get("content-length");
  const encoding = response.headers.get("content-encoding") ?? "identity";
  return header !== null && /^\d{1,15}$/.test(header) && encoding === "identity" ? Number(header) : undefined;
}

/** The whole body of a server without ranges. Nothing can be resumed there: a failure starts from the first byte. */
async function readWhole(settings: Settings, transfer: Transfer): Promise<ByteSource> {
  const { context, maxBufferedBytes, onReceive } = settings;
  const total = contentLength(transfer.response);
  if (total !== undefined && total > maxBufferedBytes) {
    transfer.cancel();
    throw tooLarge(context.name, maxBufferedBytes);
  }
  let parts: BlobPart[] = [];
  let received = 0;
  let loose = 0;
  for await (const chunk of transfer.chunks()) {
    if (received === 0) refuseWebPage(context.name, transfer.response, chunk);
    received += chunk.length;
    if (received > maxBufferedBytes) throw tooLarge(context.name, maxBufferedBytes);
    parts.push(chunk);
    loose += chunk.length;
    // A Blob's bytes are the browser's, who may put them on disk; loose chunks would all stay in our heap.
    if (loose > looseBytes) [parts, loose] = [[new Blob(parts)], 0];
    onReceive?.(received, total);
  }
  // More than announced means that an encoding was taken off where CORS hides the header; less means a cut.
  if (total !== undefined && received < total) throw endedEarly(context.name, received, total);
  return openBlobSource(new Blob(parts), context.name);
}

interface Failure {
  readonly error: ShaderloomError;
  readonly failures: number;
  readonly signal: AbortSignal | undefined;
}

/** Waits before the next attempt, or throws the error when there is to be none. */
async function backOff(settings: Settings, { error, failures, signal }: Failure): Promise<void> {
  if (!error.retryable || failures >= settings.retries) throw error;
  const { retryAfterMs } = error.detail;
  const delay = Math.max(
    Math.min(settings.backOffMs * 2 ** failures, longestBackOffMs),
    typeof retryAfterMs === "number" ? retryAfterMs : 0,
  );
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(abortError());
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, delay);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
