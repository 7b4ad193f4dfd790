// A file on a server as a first look finds it: its size, what tells its versions apart, whether byte ranges work; and then ranges of it,
// with retries from where a transfer stopped. Keeps nothing.

import { asShaderloomError } from "../../base/errors.ts";
import { chunkBytes } from "../../store/chunk_store.ts";
import { maxChunks } from "../../store/manifest.ts";
import type { HttpContext } from "./context.ts";
import { changed, endedEarly, tooLong, wrongRange } from "./errors.ts";
import { contentLength, factsOf, parseContentRange, refuseWebPage, validatorOf } from "./headers.ts";
import type { ServerFacts } from "./headers.ts";
import { backOff } from "./retry.ts";
import { startTransfer } from "./transfer.ts";
import type { Transfer } from "./transfer.ts";
import { readWhole } from "./whole.ts";

export interface HttpFile {
  readonly size: number;
  readonly facts: ServerFacts;
  /** The bytes that came with the first answer; empty where there are no ranges. */
  readonly first: { readonly start: number; readonly bytes: Uint8Array };
  /** The whole body, from a server without ranges; `exact` when its length was announced and kept. */
  readonly whole: { readonly blob: Blob; readonly exact: boolean } | undefined;
  /** Compared with what later answers say; null compares nothing but absence. */
  readonly validator: string | null;
}

/** What the first request asks for, and what is known from elsewhere. */
export interface Look {
  readonly start: number;
  readonly length: number;
  readonly signal?: AbortSignal | undefined;
}

/** Of a new file: enough for most headers. */
export const firstBytes: number = 1 << 20;
/** More than the store can keep track of, and than any model has. */
const mostBytes = maxChunks * chunkBytes;
/** Bytes looked at again where the server hides which range it sent. */
const overlapBytes = 64 << 10;
/** An attempt that brought this much starts the count of failures anew; less could keep a dripping server going for hours. */
const progressBytes = 64 << 10;

/**
 * The first request, whose bytes are kept. Of a server without ranges the whole file is read.
 *
 * @throws {ShaderloomError} NET.*, SOURCE.*, LIMIT.memory or AbortError
 */
export async function probe(context: HttpContext, look: Look): Promise<HttpFile> {
  for (let failures = 0; ;) {
    try {
      return await probeOnce(context, look);
    } catch (thrown) {
      const error = asShaderloomError(thrown, "NET.internal");
      // A file that became shorter has no bytes there any more.
      if (look.start > 0 && error.detail["status"] === 416) return probe(context, { ...look, start: 0 });
      failures = await backOff(context, { error, failures, signal: look.signal });
    }
  }
}

async function probeOnce(context: HttpContext, { start, length, signal }: Look): Promise<HttpFile> {
  const transfer = await startTransfer(context, `bytes=${start}-${start + length - 1}`, signal);
  const { response } = transfer;
  const known = { facts: factsOf(response), validator: validatorOf(response) };
  if (response.status !== 206) {
    const whole = await readWhole(context, transfer);
    return { ...known, size: whole.blob.size, first: { start: 0, bytes: new Uint8Array(0) }, whole };
  }
  const range = parseContentRange(response.headers.get("content-range"));
  if (range !== undefined && range.start !== start) {
    transfer.cancel();
    throw wrongRange(context.name, "it sent another range than the first bytes");
  }
  const bytes = await collect(transfer, { limit: length, name: context.name });
  if (range !== undefined && bytes.length > range.end - start + 1) throw wrongRange(context.name, "it sent more bytes than it says");
  if (start === 0) refuseWebPage(context.name, response, bytes);
  const size = range?.total ?? (await totalWithoutRange(context, start, signal));
  if (start + bytes.length > size) throw wrongRange(context.name, "it sent more bytes than it says the file has");
  if (size > mostBytes) throw tooLong(context.name, size);
  if (range === undefined) await checkOverlap(context, { start, bytes, signal });
  return { ...known, size, first: { start, bytes }, whole: undefined };
}

/** The body up to `limit` bytes. */
async function collect(transfer: Transfer, { limit, name }: { limit: number; name: string }): Promise<Uint8Array<ArrayBuffer>> {
  const out = new Uint8Array(limit);
  let length = 0;
  for await (const run of transfer.chunks()) {
    if (length + run.length > limit) throw wrongRange(name, "it sent more bytes than were asked for");
    out.set(run, length);
    length += run.length;
  }
  return length === limit ? out : out.slice(0, length);
}

/** CORS hides Content-Range unless the server exposes it, but never Content-Length: an open range has what is left as length. */
async function totalWithoutRange(context: HttpContext, start: number, signal: AbortSignal | undefined): Promise<number> {
  const transfer = await startTransfer(context, `bytes=${start}-`, signal);
  transfer.cancel();
  const left = contentLength(transfer.response);
  if (left === undefined) throw wrongRange(context.name, "it hides how long the file is");
  return start + left;
}

/** Where the label of a range is hidden, bytes that are known already show whether the server sends what is asked for. */
async function checkOverlap(
  context: HttpContext,
  { start, bytes, signal }: { start: number; bytes: Uint8Array; signal: AbortSignal | undefined },
): Promise<void> {
  const middle = bytes.length >> 1;
  const length = Math.min(bytes.length - middle, overlapBytes);
  if (length === 0) return;
  const transfer = await startTransfer(context, `bytes=${start + middle}-${start + middle + length - 1}`, signal);
  const again = await collect(transfer, { limit: length, name: context.name });
  if (again.length < length) throw endedEarly(context.name, again.length, length);
  if (again.some((byte, i) => byte !== bytes[middle + i])) throw wrongRange(context.name, "it sent another range than was asked for");
}

export interface Range {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly signal: AbortSignal;
}

/**
 * The bytes from `start` to `end`, in runs as they arrive, each once and in order. Ending the iteration ends the transfer.
 *
 * @throws {ShaderloomError} NET.*, SOURCE.* or AbortError
 */
export async function* fetchRange(context: HttpContext, file: HttpFile, range: Range): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { end, signal } = range;
  let at = range.start;
  let failures = 0;
  while (at < end) {
    const before = at;
    try {
      const { runs, promised } = await startRange(context, file, { start: at, end, signal });
      for await (const run of runs) {
        if (run.length > end - at) throw wrongRange(context.name, "it sent more bytes than were asked for");
        at += run.length;
        yield run;
      }
      if (at - before < promised || at === before) throw endedEarly(context.name, at - range.start, end - range.start);
    } catch (thrown) {
      if (at - before >= progressBytes) failures = 0;
      failures = await backOff(context, { error: asShaderloomError(thrown, "NET.internal"), failures, signal });
    }
  }
}

interface RangeAnswer {
  readonly runs: AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** How many bytes the server will send. */
  readonly promised: number;
}

/** Asks for a range and checks that the answer is one of the same file. */
async function startRange(context: HttpContext, file: HttpFile, { start, end, signal }: Range): Promise<RangeAnswer> {
  const { name } = context;
  const transfer = await startTransfer(context, `bytes=${start}-${end - 1}`, signal);
  const { response } = transfer;
  try {
    if (response.status !== 206) throw wrongRange(name, `it answered with status ${response.status} instead of 206`);
    // Of a pinned commit no other version can come, and mirrors of a hub may label the same bytes differently.
    if (file.facts.commit === undefined && validatorOf(response) !== file.validator) throw changed(name);
    const range = parseContentRange(response.headers.get("content-range"));
    if (range === undefined) {
      const length = contentLength(response) ?? end - start;
      if (length !== end - start) throw wrongRange(name, "it sent another range than was asked for");
      return { runs: transfer.chunks(), promised: length };
    }
    if (range.total !== file.size) throw changed(name);
    // A shorter range than asked for is the server's right (RFC 9110, 15.3.7); the rest is then asked for.
    if (range.start !== start || range.end >= end) throw wrongRange(name, "it sent another range than was asked for");
    return { runs: transfer.chunks(), promised: range.end - range.start + 1 };
  } catch (thrown) {
    transfer.cancel();
    throw thrown;
  }
}
