// Downloader: brings missing chunks of one file, a few requests at a time, into buffers of the shared pool; hands each whole chunk to those
// who wait for it, to the hash and to the store, all from the same bytes. Where the bytes come from, and what a stored chunk is, are others'.

import { asShaderloomError, abortError, throwIfAborted } from "../../base/errors.ts";
import type { ShaderloomError } from "../../base/errors.ts";
import { ceilDiv } from "../../base/math.ts";
import type { StoreDiagnostics } from "../../store/diagnostics.ts";
import { sha256 } from "../../store/hash.ts";
import type { ChunkWindow, PinnedChunk } from "./chunk_window.ts";
import { wrongChunk } from "./errors.ts";
import { HashFollower } from "./follow.ts";
import type { WholeHash } from "./whole_hash.ts";
import type { DownloadPool, PoolClient } from "./pool.ts";
import type { DownloadQueue, Job } from "./queue.ts";
import type { ChunkReaders } from "./readers.ts";
import { createWatch } from "./watch.ts";

/** Where chunks go to stay. */
export interface ChunkKeeper {
  /** False once the store refused; chunks then live in the window alone. */
  readonly storing: boolean;
  has(index: number): boolean;
  /** What a chunk was when it was stored, though it may be damaged now. */
  recorded(index: number): string | undefined;
  /** Stores a chunk, or gives up storing. Throws only when the load is to fail. */
  put(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** A stored chunk, or undefined when it is damaged, gone, or the store is out of order. */
  read(index: number, into: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** What is stored and what the server gives are not of one file. */
  clear(): Promise<void>;
}

export interface DownloaderParts {
  readonly name: string;
  readonly size: number;
  readonly pool: DownloadPool;
  readonly window: ChunkWindow;
  readonly queue: DownloadQueue;
  readonly readers: ChunkReaders;
  readonly keeper: ChunkKeeper;
  readonly hash: WholeHash | undefined;
  readonly diagnostics: StoreDiagnostics;
  readonly fetchRange: (start: number, end: number, signal: AbortSignal) => AsyncIterable<Uint8Array>;
  /** Bytes that came already, from the start of a chunk on. */
  readonly first: { readonly start: number; readonly bytes: Uint8Array };
  /** Told now and then while bytes arrive. */
  readonly onProgress?: (() => void) | undefined;
}

const mostChunksOfRequest = 4;
/** Times that a chunk which is not what was stored before is fetched again. */
const mostRefusals = 2;

export class Downloader implements PoolClient {
  readonly #parts: Omit<DownloaderParts, "first">;
  readonly #stop = new AbortController();
  readonly #watch = createWatch();
  readonly #work = new Set<Promise<void>>();
  readonly #refusals = new Map<number, number>();
  readonly #follower: HashFollower | undefined;
  #first: DownloaderParts["first"] | undefined;
  /** Whether chunks that nobody waits for are fetched. */
  #ahead = false;
  #error: ShaderloomError | undefined;

  constructor(parts: DownloaderParts) {
    const { first, ...rest } = parts;
    this.#parts = rest;
    this.#first = first;
    const { hash, window, pool, keeper } = parts;
    if (hash !== undefined) {
      const isStored = (index: number): boolean => keeper.has(index);
      this.#follower = new HashFollower({ hash, window, pool, isStored, readStored: (index, into) => keeper.read(index, into) });
    }
    pool.join(this);
    this.#takeFirst();
  }

  /** Bytes that came before anything was asked for, when they are all of a range. */
  early(offset: number, length: number): Uint8Array | undefined {
    const { start, bytes } = this.#first ?? { start: 0, bytes: new Uint8Array(0) };
    return offset >= start && offset + length <= start + bytes.length ? bytes.subarray(offset - start, offset - start + length) : undefined;
  }

  urgent(): boolean {
    return this.#parts.queue.urgent(this.#missing);
  }

  /** Goes on to chunks that nobody waits for yet. */
  runAhead(): void {
    this.#ahead = true;
    this.pump();
  }

  /** Starts what can be started. */
  pump(): void {
    const { pool, queue, keeper } = this.#parts;
    while (this.#error === undefined) {
      const urgent = this.urgent();
      if (!(urgent || this.#ahead) || !pool.canStart(urgent)) return;
      const most = keeper.storing ? mostChunksOfRequest : 1;
      const job = queue.next({ missing: this.#missing, most, rest: keeper.storing });
      if (job === undefined) return;
      this.#track(this.#run(job, pool.start(job.urgent)));
    }
  }

  /**
   * Fetches all that is missing.
   *
   * @returns false when the store gave up meanwhile
   * @throws {ShaderloomError} NET.*, SOURCE.*, INTEGRITY.chunk, QUOTA.full, AbortError
   */
  async storeAll(signal?: AbortSignal): Promise<boolean> {
    const { queue, keeper, size, pool, window } = this.#parts;
    const count = ceilDiv(size, pool.chunkBytes);
    for (;;) {
      throwIfAborted(signal);
      if (this.#error !== undefined) throw this.#error;
      if (!keeper.storing) return false;
      if (Array.from({ length: count }, (_, index) => keeper.has(index)).every(Boolean)) return true;
      // In memory and yet not stored, with nobody at work on it: its record was lost meanwhile.
      if (this.#work.size === 0) for (let index = 0; index < count; index++) if (!keeper.has(index)) window.drop(index);
      queue.restart();
      this.runAhead();
      await this.#watch.change(signal);
    }
  }

  /** Nothing more is asked for; what a reader waits for fails with `error`. */
  fail(error: ShaderloomError): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#stop.abort();
    this.#parts.readers.fail(error);
    this.#watch.tell();
  }

  get error(): ShaderloomError | undefined {
    return this.#error;
  }

  /** Ends what is under way. @returns when the last write is over */
  async close(): Promise<void> {
    this.fail(abortError());
    this.#parts.pool.leave(this);
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  readonly #missing = (index: number): boolean => !this.#parts.window.has(index) && !this.#parts.keeper.has(index);

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((thrown: unknown) => this.fail(asShaderloomError(thrown, "NET.internal")))
      .finally(() => {
        this.#work.delete(tracked);
        this.#watch.tell();
        this.pump();
      });
    this.#work.add(tracked);
  }

  /** One request. The buffer is filled chunk by chunk, and each further chunk gets another. */
  async #run(job: Job, buffer: Uint8Array<ArrayBuffer>): Promise<void> {
    const { pool, queue, readers, size, fetchRange, onProgress } = this.#parts;
    const end = Math.min((job.first + job.count) * pool.chunkBytes, size);
    let index = job.first;
    let held: Uint8Array<ArrayBuffer> | undefined = buffer;
    let filled = this.#prefill(index, buffer);
    try {
      if (filled === this.#lengthOf(index)) [held, filled] = [await this.#handOver(index++, held), 0];
      for await (const run of fetchRange(index * pool.chunkBytes + filled, end, this.#stop.signal)) {
        for (let at = 0; at < run.length;) {
          held ??= await this.#nextBuffer(index);
          if (held === undefined) return;
          const part = run.subarray(at, at + this.#lengthOf(index) - filled);
          held.set(part, filled);
          at += part.length;
          filled += part.length;
          readers.progress(index, filled);
          if (filled === this.#lengthOf(index)) [held, filled] = [await this.#handOver(index++, held), 0];
        }
        onProgress?.();
      }
    } finally {
      if (held !== undefined) pool.give(held);
      for (; index < job.first + job.count; index++) queue.done(index);
      pool.endRequest();
    }
  }

  #lengthOf(index: number): number {
    const { pool, size } = this.#parts;
    return Math.min(pool.chunkBytes, size - index * pool.chunkBytes);
  }

  /** What came with the first look may be a whole chunk, as of small files. */
  #takeFirst(): void {
    const { pool, queue, size } = this.#parts;
    if (this.#first === undefined) return;
    const { start, bytes } = this.#first;
    const index = start / pool.chunkBytes;
    if (start >= size || bytes.length < this.#lengthOf(index) || !this.#missing(index)) return;
    const buffer = pool.tryTake(true);
    if (buffer === undefined) return;
    this.#prefill(index, buffer);
    queue.begin(index);
    this.#track(this.#handOver(index, buffer));
  }

  /** What came with the first look at the file. */
  #prefill(index: number, buffer: Uint8Array): number {
    const start = index * this.#parts.pool.chunkBytes;
    if (this.#first?.start !== start) return 0;
    const known = this.#first.bytes.subarray(0, this.#lengthOf(index));
    buffer.set(known);
    return known.length;
  }

  /** Without a store nothing is fetched that would have no place: such a request ends early. */
  async #nextBuffer(index: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { pool, queue, keeper } = this.#parts;
    return pool.take(
      this.#stop.signal,
      () => queue.wanted(index),
      () => !keeper.storing && !queue.wanted(index),
    );
  }

  /** A chunk is whole. What then happens to it does not hold up the request, except where it has to be compared. */
  async #handOver(index: number, buffer: Uint8Array<ArrayBuffer>): Promise<undefined> {
    const { pool, window, queue, readers } = this.#parts;
    const length = this.#lengthOf(index);
    const right = await this.#asRecorded(index, buffer.subarray(0, length)).catch((thrown: unknown) => {
      pool.give(buffer);
      throw thrown;
    });
    if (this.#first?.start === index * pool.chunkBytes) this.#first = undefined;
    if (!right || this.#error !== undefined) {
      queue.done(index);
      queue.restart();
      pool.give(buffer);
      return;
    }
    const chunk = window.add(index, buffer, length);
    queue.done(index);
    readers.serve(index, chunk.bytes);
    this.#follower?.passed(index, chunk.bytes);
    this.letGoOfRead();
    this.#track(this.#keep(index, chunk));
  }

  /** A chunk that was stored before, and was lost, has to come back as it was. */
  async #asRecorded(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const { keeper, diagnostics, name } = this.#parts;
    const recorded = keeper.recorded(index);
    if (recorded === undefined || (await sha256(bytes)) === recorded) return true;
    diagnostics.refusedChunks++;
    const refusals = (this.#refusals.get(index) ?? 0) + 1;
    this.#refusals.set(index, refusals);
    if (refusals <= mostRefusals) return false;
    await keeper.clear();
    throw wrongChunk(name, index);
  }

  async #keep(index: number, chunk: PinnedChunk): Promise<void> {
    const { keeper, window, pool } = this.#parts;
    try {
      if (keeper.storing) await keeper.put(index, chunk.bytes);
      if (!keeper.has(index) && this.#needed(index) && pool.keepable) window.keep(index, true);
    } finally {
      chunk.letGo();
      // The store may have given up: requests for chunks that have no place now end.
      if (!keeper.storing) pool.notify();
    }
    await this.#follower?.catchUp(this.#stop.signal);
  }

  /** Whether a chunk that is stored nowhere is to stay in memory. */
  #needed(index: number): boolean {
    return this.#parts.queue.expects(index) || this.#follower?.awaits(index) === true;
  }

  /** Gives up chunks in memory that nobody is yet to read. */
  letGoOfRead(): void {
    const { window } = this.#parts;
    for (const index of window.kept()) if (!this.#needed(index)) window.keep(index, false);
  }
}
