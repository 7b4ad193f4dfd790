// CachedSource: a remote file as a ByteSource, read from the store where it is stored and from the server where it is not, and stored on the
// way. What is damaged is fetched again. How it was found and opened is open.ts's; fetching is the downloader's.

import { untilAborted } from "../../base/abort.ts";
import { asShaderloomError, throwIfAborted } from "../../base/errors.ts";
import type { ShaderloomError } from "../../base/errors.ts";
import { ceilDiv } from "../../base/math.ts";
import type { StoreDiagnostics } from "../../store/diagnostics.ts";
import type { Hold, ModelStore } from "../../store/model_store.ts";
import type { StoredFile } from "../../store/stored_file.ts";
import { checkRange, closedSource } from "../byte_source.ts";
import type { ByteRange, ByteSource, ReadOptions, StoredState } from "../byte_source.ts";
import { createAnnouncer } from "./announcer.ts";
import { wrongFile } from "./errors.ts";
import { startWholeHash } from "./whole_hash.ts";
import type { WholeHash } from "./whole_hash.ts";
import { noKeeper } from "./keeper.ts";
import type { StoreKeeper } from "./keeper.ts";
import type { Link } from "./link.ts";
import type { DownloadPool } from "./pool.ts";
import { CachedReads } from "./reads.ts";
import { Downloader } from "./downloader.ts";
import { readsAtOnceFrom } from "./stored_source.ts";

/** A file of the store behind a source. */
export interface CachePlace {
  readonly models: ModelStore;
  readonly file: StoredFile;
  readonly keeper: StoreKeeper;
  /** The address under which it is kept. */
  readonly key: string;
  /** Whether all of it was there on opening. */
  readonly complete: boolean;
}

export interface CachedParts {
  readonly name: string;
  readonly size: number;
  readonly pool: DownloadPool;
  readonly diagnostics: StoreDiagnostics;
  readonly place: CachePlace | undefined;
  readonly unstored: ShaderloomError | undefined;
  /** The server, when it was asked already. */
  readonly link: Link | undefined;
  /** Asks the server when bytes turn out to be missing after all; `start` is where. */
  readonly connect: (start: number, signal: AbortSignal) => Promise<Link>;
  /** What the whole is to be hashed and compared with in `finish`; undefined when that was done, or nothing was promised. */
  readonly promised: string | undefined;
  /** Released when the source is closed. */
  readonly holds: readonly Hold[];
  /** The right to download; given back as soon as there is nothing more to store. */
  readonly lock: Hold | undefined;
}

/** @throws {ShaderloomError} ENV.wasm where a hash was promised and cannot be made */
export async function openCachedSource(parts: CachedParts): Promise<ByteSource> {
  const hash = parts.promised === undefined ? undefined : await startWholeHash(parts.promised);
  return new CachedSource(parts, hash);
}

const remoteReadBytes = 1 << 20;

class CachedSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly local: boolean;
  readonly readsAtOnce: number | undefined;
  readonly readBytes: number | undefined;
  readonly stored: StoredState | undefined;
  readonly unstored: ShaderloomError | undefined;
  #parts: CachedParts;
  readonly #reads: CachedReads;
  readonly #hash: WholeHash | undefined;
  readonly #closing = new AbortController();
  readonly #count: number;
  #downloader: Downloader | undefined;
  #connecting: Promise<void> | undefined;
  #lock: Hold | undefined;
  #finished = false;

  constructor(parts: CachedParts, hash: WholeHash | undefined) {
    const { name, size, place, pool } = parts;
    this.name = name;
    this.size = size;
    this.local = place?.complete === true;
    // A download runs ahead of its reader by itself, in memory of its own, from which smaller reads cost nothing.
    this.readBytes = place?.complete === true ? undefined : remoteReadBytes;
    this.readsAtOnce = place?.complete === true ? readsAtOnceFrom(place.file.manifest.tier) : 1;
    this.stored = place === undefined ? undefined : stateOf(place);
    this.unstored = parts.unstored;
    this.#parts = parts;
    this.#hash = hash;
    this.#lock = parts.lock;
    this.#count = ceilDiv(size, pool.chunkBytes);
    const connect = async (index: number, signal: AbortSignal): Promise<void> => this.#connect(index, signal);
    this.#reads = new CachedReads({ size, pool, keeper: place?.keeper, downloader: () => this.#downloader, connect });
    if (parts.link === undefined) return;
    this.#downloader = this.#startDownloader(parts.link);
    // The downloader drops the first bytes once it has used them.
    this.#parts = { ...parts, link: { ...parts.link, first: { start: 0, bytes: new Uint8Array(0) } } };
  }

  async read(offset: number, length: number, { signal, onBytes, into }: ReadOptions = {}): Promise<Uint8Array> {
    throwIfAborted(signal);
    checkRange(this, offset, length);
    if (this.#closing.signal.aborted) throw closedSource(this.name);
    const early = this.#downloader?.early(offset, length);
    if (early !== undefined) return early;
    const out = into !== undefined && into.length >= length ? into.subarray(0, length) : new Uint8Array(length);
    if (this.#reads.fillFromMemory(out, offset)) onBytes?.(length);
    else await this.#reads.fill(out, offset, { signal: this.#untilClosed(signal), onBytes });
    return out;
  }

  expect(ranges: readonly ByteRange[]): void {
    const { chunkBytes } = this.#parts.pool;
    const indices = ranges.flatMap(({ offset, length }) => {
      const first = Math.floor(offset / chunkBytes);
      return Array.from({ length: Math.max(ceilDiv(offset + length, chunkBytes) - first, 0) }, (_, i) => first + i);
    });
    this.#reads.queue.expect(indices.filter((index) => index < this.#count));
    this.#downloader?.letGoOfRead();
    // Where the server was asked only to mend something, nothing else is fetched before `finish`.
    if (this.#parts.link !== undefined) this.#downloader?.runAhead();
  }

  /** After INTEGRITY.sha256 what this source downloaded is deleted; a model that was complete before is not. */
  async finish(signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    if (this.#closing.signal.aborted) throw closedSource(this.name);
    if (this.#finished) return;
    const { place } = this.#parts;
    const until = this.#untilClosed(signal);
    try {
      if (place?.keeper.storing === true && this.#missing() !== undefined) {
        if (this.#downloader === undefined) await this.#connect(this.#missing() ?? 0, until);
        await this.#downloader?.storeAll(until);
      }
      if (place?.keeper.failure !== undefined) throw place.keeper.failure;
      await this.#checkWhole(until);
      if (place !== undefined) await this.#complete(place);
      this.#finished = true;
    } finally {
      if (this.#finished || place?.keeper.storing !== true) this.#unlock();
    }
    // Older versions can be deleted by whoever gets their locks, which include the one that was ours.
    if (place?.keeper.storing === true) await place.models.deleteSuperseded(place.key).catch(() => undefined);
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    void this.#wind();
  }

  /** Writes under way are waited for before the locks are given back: the next holder must not meet them. */
  async #wind(): Promise<void> {
    await this.#connecting?.catch(() => undefined);
    await this.#downloader?.close();
    this.#reads.window.clear();
    this.#unlock();
    for (const hold of this.#parts.holds) hold.release();
  }

  #unlock(): void {
    this.#lock?.release();
    this.#lock = undefined;
  }

  #untilClosed(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }

  #startDownloader(link: Link): Downloader {
    const { name, size, pool, diagnostics, place } = this.#parts;
    const { window, queue, readers } = this.#reads;
    const { first, ...server } = link;
    const fetchRange: Link["fetchRange"] = (start, end, signal) => server.fetchRange(start, end, signal);
    const onProgress = place === undefined ? undefined : createAnnouncer(place);
    const keeper = place?.keeper ?? noKeeper;
    const hash = this.#hash;
    return new Downloader({ name, size, pool, diagnostics, window, queue, readers, keeper, hash, first, fetchRange, onProgress });
  }

  /** Asks the server for what turned out to be missing in a file that looked complete. */
  async #connect(index: number, signal: AbortSignal): Promise<void> {
    const { place, pool, connect } = this.#parts;
    this.#connecting ??= (async () => {
      // Only who has the lock mends: two tabs would do it twice.
      if (place?.keeper.storing === true) {
        this.#lock ??= await place.models.lockDownload(place.key, { signal: this.#closing.signal });
      }
      const link = await connect(index * pool.chunkBytes, this.#closing.signal);
      this.#downloader = this.#startDownloader(link);
    })();
    const connecting = this.#connecting;
    try {
      await untilAborted(connecting, signal);
    } catch (thrown) {
      // Another read may find the server back.
      if (!signal.aborted && this.#connecting === connecting) this.#connecting = undefined;
      throw thrown;
    }
  }

  #missing(): number | undefined {
    for (let index = 0; index < this.#count; index++) if (this.#parts.place?.keeper.has(index) !== true) return index;
    return undefined;
  }

  /** Hashes what has not passed in order, from memory, store or server. */
  async #checkWhole(signal: AbortSignal): Promise<void> {
    const hash = this.#hash;
    if (hash === undefined) return;
    const { pool, size, place } = this.#parts;
    const { queue } = this.#reads;
    queue.expect(Array.from({ length: this.#count - hash.next }, (_, i) => hash.next + i));
    if (this.#parts.link !== undefined) this.#downloader?.runAhead();
    while (hash.next < this.#count) {
      const index = hash.next;
      const buffer = await pool.take(signal, () => true);
      if (buffer === undefined) continue;
      try {
        const bytes = buffer.subarray(0, Math.min(pool.chunkBytes, size - index * pool.chunkBytes));
        await this.#reads.fill(bytes, index * pool.chunkBytes, { signal, onBytes: undefined });
        // It may have been hashed when it came.
        hash.offer(index, bytes);
      } finally {
        pool.give(buffer);
      }
    }
    if (hash.matches()) return;
    const before = place?.complete === true;
    if (!before) await place?.keeper.clear();
    this.#unlock();
    throw wrongFile(this.name, hash.promised, before ? "store" : "download");
  }

  async #complete({ file, keeper, models, complete }: CachePlace): Promise<void> {
    const { manifest } = file;
    const { promised } = this.#parts;
    const verified = promised !== undefined || manifest.verified || (complete && this.stored?.verified() === true);
    const current = manifest.state === "complete" && manifest.verified === verified;
    try {
      if (keeper.storing && !current) await file.complete({ sha256: promised ?? manifest.sha256, verified });
      await models.touch(manifest.model);
    } catch (thrown) {
      keeper.refuse(asShaderloomError(thrown, "STORE.internal"));
    }
  }
}

function stateOf({ file, keeper, complete }: CachePlace): StoredState {
  const { id, model, tier, verified } = file.manifest;
  return {
    id,
    model,
    tier,
    storedBytes: () => file.storedBytes,
    complete: () => file.manifest.state === "complete",
    // Mended chunks were compared with what they were, so that the whole is still what it was.
    verified: () => file.manifest.verified || (complete && verified),
    warning: () => keeper.warning,
  };
}
