// A ByteSource over HTTP byte ranges, straight from the server with each read. Caches nothing but the first bytes; cached_source.ts is
// the one that stores.

import { throwIfAborted } from "../../base/errors.ts";
import { openBlobSource } from "../blob_source.ts";
import { checkRange, closedSource } from "../byte_source.ts";
import type { ByteSource } from "../byte_source.ts";
import { httpContext } from "./context.ts";
import type { HttpContext, HttpOptions } from "./context.ts";
import { fetchRange, firstBytes, probe } from "./file.ts";
import type { HttpFile } from "./file.ts";

/** @throws {ShaderloomError} NET.*, SOURCE.*, LIMIT.memory or AbortError */
export async function openHttpSource(url: URL, options: HttpOptions = {}): Promise<ByteSource> {
  const context = httpContext(url, options);
  const file = await probe(context, { start: 0, length: firstBytes, signal: options.signal });
  return file.whole === undefined ? rangeSource(context, file) : openBlobSource(file.whole.blob, context.name);
}

function rangeSource(context: HttpContext, file: HttpFile): ByteSource {
  const { name } = context;
  const { size } = file;
  const closing = new AbortController();
  let head = file.first.bytes;
  return {
    name,
    size,
    read: async (offset, length, { signal, onBytes } = {}) => {
      throwIfAborted(signal);
      checkRange({ name, size }, offset, length);
      if (closing.signal.aborted) throw closedSource(name);
      if (offset + length <= head.length) return head.subarray(offset, offset + length);
      const either = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
      const out = new Uint8Array(length);
      let done = 0;
      for await (const run of fetchRange(context, file, { start: offset, end: offset + length, signal: either })) {
        out.set(run, done);
        done += run.length;
        onBytes?.(run.length);
      }
      return out;
    },
    close: () => {
      head = new Uint8Array(0);
      closing.abort();
    },
  };
}
