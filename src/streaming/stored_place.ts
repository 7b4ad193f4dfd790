// The part of an image that is in the model store: its file, the lock of who writes it and the guard of who uses it.

import { ShaderloomError } from "../base/errors.ts";
import type { StoreTier } from "../store/chunk_store.ts";
import type { StoreDiagnostics } from "../store/diagnostics.ts";
import { sha256 } from "../store/hash.ts";
import { fileId } from "../store/manifest.ts";
import type { FileDescription, Hold, ModelStore } from "../store/model_store.ts";
import type { StoredFile } from "../store/stored_file.ts";
import { fill, lostPlace } from "./memory_chunks.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Milliseconds for a chunk to be read; far more than any disk needs. */
const patience = 30_000;
/** Milliseconds that a repair waits for others who write. */
const lockWithin = 1000;
/** Chunks that are hashed and written side by side. */
const putsAtOnce = 3;

export interface NumberedChunk {
  readonly index: number;
  readonly bytes: Bytes;
}

export interface StoredPlace {
  readonly tier: StoreTier;
  /** Whether the file was called complete when it was opened. */
  readonly completed: boolean;
  has(index: number): boolean;
  /** Whether chunks, if a complete image had them or has them, were these. Of an image that nobody vouched for all are right. */
  areSame(chunks: readonly NumberedChunk[]): Promise<boolean>;
  /** Stores chunks, under the writers' lock. */
  put(chunks: readonly NumberedChunk[]): Promise<void>;
  /** @throws {ShaderloomError} GPU.lost when the memory to read into is gone, STORE.* */
  read(index: number, into: Bytes): Promise<boolean>;
  /** Forgets all chunks. */
  clear(): Promise<void>;
  /** @throws {ShaderloomError} STORE.evicted when chunks were deleted meanwhile: `has` knows which, QUOTA.full, STORE.* */
  complete(): Promise<void>;
  /** Deletes other images of the model that nobody uses. @returns bytes freed */
  deleteOthers(): Promise<number>;
  /** Lets others write. */
  release(): void;
  close(): void;
}

interface PlaceOptions {
  readonly models: ModelStore;
  readonly file: FileDescription & { readonly model: string };
  readonly diagnostics: StoreDiagnostics;
  readonly signal: AbortSignal | undefined;
  /** Whether other models may be deleted to make room. */
  readonly evict: boolean;
}

/**
 * An incomplete file is opened with the writers' lock, which it keeps until it is released.
 *
 * @throws {ShaderloomError} AbortError, QUOTA.full, STORE.*
 */
export async function openStoredPlace(options: PlaceOptions): Promise<StoredPlace> {
  const { models, file, diagnostics, signal } = options;
  // First of all: what is held is not deleted as somebody's older image.
  const use = await models.holdModel(await fileId(file));
  let writing: Hold | undefined;
  try {
    let stored = await models.open(file, diagnostics);
    if (stored.manifest.state !== "complete") {
      writing = await models.lockDownload(file.url, { signal });
      // Anew: another tab may have written it meanwhile.
      stored = await models.open(file, diagnostics);
      if (stored.manifest.state === "complete") writing.release();
    }
    return new LockedFile(options, stored, { use, writing: stored.manifest.state === "complete" ? undefined : writing });
  } catch (thrown) {
    writing?.release();
    use.release();
    throw thrown;
  }
}

class LockedFile implements StoredPlace {
  readonly completed: boolean;
  readonly #models: ModelStore;
  readonly #about: FileDescription & { readonly model: string };
  readonly #diagnostics: StoreDiagnostics;
  readonly #evict: boolean;
  readonly #file: StoredFile;
  readonly #use: Hold;
  /** Memory for reads, as many as were under way at once. */
  readonly #spares: Bytes[] = [];
  /** sha256 of chunks that were there and are not. */
  readonly #lost = new Map<number, string>();
  #vouched: boolean;
  #writing: Hold | undefined;

  constructor(options: PlaceOptions, file: StoredFile, holds: { readonly use: Hold; readonly writing: Hold | undefined }) {
    this.#models = options.models;
    this.#about = options.file;
    this.#diagnostics = options.diagnostics;
    this.#evict = options.evict;
    this.#file = file;
    this.#use = holds.use;
    this.#writing = holds.writing;
    this.completed = file.manifest.state === "complete";
    this.#vouched = this.completed;
  }

  get tier(): StoreTier {
    return this.#file.manifest.tier;
  }

  has(index: number): boolean {
    return this.#file.has(index);
  }

  async areSame(chunks: readonly NumberedChunk[]): Promise<boolean> {
    if (!this.#vouched) return true;
    for (const { index, bytes } of chunks) {
      const expected = this.#file.sha256Of(index) ?? this.#lost.get(index);
      if (expected !== undefined && (await sha256(bytes)) !== expected) return false;
    }
    return true;
  }

  async put(chunks: readonly NumberedChunk[]): Promise<void> {
    const repair = this.#writing === undefined ? await this.#lockSoon() : undefined;
    try {
      await this.#putAll(chunks);
    } catch (thrown) {
      // Older images of the model may stand in the way of this one.
      if (!isFull(thrown) || (await this.#makeRoom(chunks)) === 0) throw thrown;
      await this.#putAll(chunks);
    } finally {
      repair?.release();
    }
  }

  /** Deletes older images of the model, and other models where that is allowed. @returns bytes freed */
  async #makeRoom(chunks: readonly NumberedChunk[]): Promise<number> {
    const freed = await this.deleteOthers();
    if (freed > 0 || !this.#evict) return freed;
    const needed = chunks.reduce((sum, { bytes }) => sum + bytes.length, 0);
    return this.#models.evict(needed, this.#about.model, this.#diagnostics);
  }

  /** Another tab may write another image of the model for minutes: whoever needs a layer now goes on without the store. */
  async #lockSoon(): Promise<Hold> {
    const { url, name } = this.#about;
    const signal = AbortSignal.timeout(lockWithin);
    try {
      return await this.#models.lockDownload(url, { signal });
    } catch (thrown) {
      if (!signal.aborted) throw thrown;
      const message = `Another tab writes a streamed copy of ${name}. Close it, or wait until it is done.`;
      throw new ShaderloomError("STORE.busy", message, { retryable: true, detail: { name } });
    }
  }

  async read(index: number, into: Bytes): Promise<boolean> {
    const promised = this.#file.sha256Of(index);
    const there = await this.#read(index, into);
    if (!there && promised !== undefined) this.#lost.set(index, promised);
    return there;
  }

  async clear(): Promise<void> {
    this.#vouched = false;
    this.#lost.clear();
    await this.#file.clear();
  }

  async #read(index: number, into: Bytes): Promise<boolean> {
    const { chunkBytes } = this.#file.manifest;
    // The private file system fills memory in one go. Whoever fills it while others run could write to it when it is no longer ours: what is
    // mapped for a GPU is given back without asking when the device is lost.
    if (this.tier === "opfs") return this.#readStraight(index, into);
    const spare = this.#spares.pop() ?? new Uint8Array(chunkBytes);
    const bytes = await within(this.#file.read(index, spare));
    if (bytes !== undefined) fill(into, bytes);
    this.#spares.push(spare);
    return bytes !== undefined;
  }

  async complete(): Promise<void> {
    await this.#file.complete({ sha256: null, verified: false });
    this.#vouched = true;
  }

  async deleteOthers(): Promise<number> {
    return this.#models.deleteImages(this.#about.model, this.#file.manifest.id);
  }

  release(): void {
    this.#writing?.release();
    this.#writing = undefined;
  }

  close(): void {
    this.release();
    this.#use.release();
  }

  async #readStraight(index: number, into: Bytes): Promise<boolean> {
    const length = into.length;
    const bytes = await within(this.#file.read(index, into)).catch((thrown: unknown) => {
      throw into.length === length ? thrown : lostPlace();
    });
    if (into.length !== length) throw lostPlace();
    return bytes !== undefined;
  }

  async #putAll(chunks: readonly NumberedChunk[]): Promise<void> {
    const left = [...chunks];
    const workers = Array.from({ length: putsAtOnce }, async () => {
      for (let chunk = left.shift(); chunk !== undefined; chunk = left.shift()) await this.#file.put(chunk.index, chunk.bytes);
    });
    // All of them end before the bytes are the caller's again.
    const ends = await Promise.allSettled(workers);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }
}

/** The tiers themselves do not wait for ever; this is for what nobody foresaw. */
async function within<T>(read: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `The browser's storage did not answer for ${patience / 1000} seconds. Reload the page and try again.`;
      reject(new ShaderloomError("STORE.lost", message, { retryable: true }));
    }, patience);
  });
  try {
    return await Promise.race([read, late]);
  } finally {
    clearTimeout(timer);
  }
}

function isFull(thrown: unknown): boolean {
  return thrown instanceof ShaderloomError && thrown.code.startsWith("QUOTA");
}
