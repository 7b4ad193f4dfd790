// Reads of a file whose chunks are in memory, in the store or still with the server: each range is cut at chunk borders, and each part comes
// from the nearest place that has it. What is done about missing chunks is the downloader's.

import { abortError, asShaderloomError, throwIfAborted } from "../../base/errors.ts";
import { ceilDiv } from "../../base/math.ts";
import type { ReadOptions } from "../byte_source.ts";
import { ChunkWindow } from "./chunk_window.ts";
import type { StoreKeeper } from "./keeper.ts";
import type { DownloadPool } from "./pool.ts";
import { DownloadQueue } from "./queue.ts";
import { ChunkReaders } from "./readers.ts";
import type { Downloader } from "./downloader.ts";

export interface ReadsParts {
  readonly size: number;
  readonly pool: DownloadPool;
  readonly keeper: StoreKeeper | undefined;
  /** The downloader, if there is one yet. */
  readonly downloader: () => Downloader | undefined;
  /** Makes one, for a chunk that is missing. */
  readonly connect: (index: number, signal: AbortSignal) => Promise<unknown>;
}

interface Part {
  readonly index: number;
  /** In the chunk. */
  readonly from: number;
  readonly into: Uint8Array<ArrayBuffer>;
}

interface PartOptions {
  readonly signal: AbortSignal;
  readonly onBytes: ReadOptions["onBytes"];
}

export class CachedReads {
  readonly window: ChunkWindow;
  readonly queue: DownloadQueue;
  readonly readers: ChunkReaders = new ChunkReaders();
  readonly #parts: ReadsParts;

  constructor(parts: ReadsParts) {
    this.#parts = parts;
    this.window = new ChunkWindow(parts.pool);
    this.queue = new DownloadQueue(ceilDiv(parts.size, parts.pool.chunkBytes));
  }

  /** Fills `out` without waiting, if it lies in one chunk and that is in memory. @returns whether it did */
  fillFromMemory(out: Uint8Array<ArrayBuffer>, offset: number): boolean {
    const { chunkBytes } = this.#parts.pool;
    const index = Math.floor(offset / chunkBytes);
    const from = offset - index * chunkBytes;
    const chunk = from + out.length <= chunkBytes ? this.window.pin(index) : undefined;
    if (chunk === undefined) return false;
    out.set(chunk.bytes.subarray(from, from + out.length));
    chunk.letGo();
    if (!this.queue.read(index)) this.#parts.downloader()?.letGoOfRead();
    return true;
  }

  /** Fills `out` with the bytes at `offset`. Nothing is written to it after the call has ended. */
  async fill(out: Uint8Array<ArrayBuffer>, offset: number, options: PartOptions): Promise<void> {
    const { chunkBytes } = this.#parts.pool;
    const failing = new AbortController();
    const signal = AbortSignal.any([failing.signal, options.signal]);
    const parts: Array<Promise<void>> = [];
    for (let at = 0; at < out.length;) {
      const index = Math.floor((offset + at) / chunkBytes);
      const from = offset + at - index * chunkBytes;
      const into = out.subarray(at, at + chunkBytes - from);
      const part = this.#readPart({ index, from, into }, { signal, onBytes: options.onBytes });
      parts.push(
        part.catch((thrown: unknown) => {
          failing.abort();
          throw thrown;
        }),
      );
      at += into.length;
    }
    // All of them are waited for, and the aborts of the others are consequences of the first failure.
    const settled = await Promise.allSettled(parts);
    const errors = settled.flatMap((part) => (part.status === "rejected" ? [asShaderloomError(part.reason, "NET.internal")] : []));
    if (errors.length > 0) throw options.signal.aborted ? abortError() : (errors.find(({ code }) => code !== "AbortError") ?? errors[0]);
  }

  async #readPart(part: Part, options: PartOptions): Promise<void> {
    const { index, from, into } = part;
    for (;;) {
      throwIfAborted(options.signal);
      const chunk = this.window.pin(index);
      const downloader = this.#parts.downloader();
      if (chunk !== undefined) {
        into.set(chunk.bytes.subarray(from, from + into.length));
        chunk.letGo();
        options.onBytes?.(into.length);
      } else if (this.#parts.keeper?.has(index) === true) {
        if (!(await this.#readStored(part, options.signal))) continue;
        options.onBytes?.(into.length);
      } else if (downloader === undefined) {
        // By the time the server has answered the chunk may be here.
        await this.#parts.connect(index, options.signal);
        continue;
      } else await this.#readRemote(downloader, part, options);
      break;
    }
    if (!this.queue.read(index)) this.#parts.downloader()?.letGoOfRead();
  }

  /** @returns false when the chunk turned out damaged or gone */
  async #readStored({ index, from, into }: Part, signal: AbortSignal): Promise<boolean> {
    const { pool, size, keeper } = this.#parts;
    const length = Math.min(pool.chunkBytes, size - index * pool.chunkBytes);
    if (into.length === length) {
      const bytes = await keeper?.read(index, into);
      if (bytes !== undefined && bytes.buffer !== into.buffer) into.set(bytes);
      return bytes !== undefined;
    }
    const buffer = await pool.take(signal, () => true);
    if (buffer === undefined) return false;
    const bytes = await keeper?.read(index, buffer);
    if (bytes === undefined || signal.aborted) {
      pool.give(buffer);
      return false;
    }
    if (bytes.buffer !== buffer.buffer) buffer.set(bytes);
    const chunk = this.window.add(index, buffer, length);
    into.set(chunk.bytes.subarray(from, from + into.length));
    chunk.letGo();
    return true;
  }

  async #readRemote(downloader: Downloader, { index, from, into }: Part, options: PartOptions): Promise<void> {
    if (downloader.error !== undefined) throw downloader.error;
    this.queue.want(index);
    const waiting = this.readers.wait(index, { from, into, ...options });
    try {
      downloader.pump();
      await waiting;
    } finally {
      this.queue.unwant(index);
    }
  }
}
