// The image of a model's weights: layers in the GPU's own form, stored once as a file beside the model's and read for every step.
// Takes to this process's memory what storage does not hold. Knows chunks and sections, not what is in them nor who repairs them.

import { ShaderloomError, assert } from "../base/errors.ts";
import type { StoreTier } from "../store/chunk_store.ts";
import type { StoreDiagnostics } from "../store/diagnostics.ts";
import { imageScheme } from "../store/manifest.ts";
import type { FileDescription, ModelStore } from "../store/model_store.ts";
import { lostPlace, type MemoryChunks, memoryChunks } from "./memory_chunks.ts";
import { type StoredPlace, openStoredPlace } from "./stored_place.ts";
import type { ImagePlan, Section, WeightImage } from "./types.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export interface ImageOptions {
  /** Absent where nothing is stored. */
  readonly models: ModelStore | undefined;
  /** The stored model that the image belongs to and goes with. */
  readonly model: { readonly id: string; readonly name: string } | undefined;
  readonly plan: ImagePlan;
  readonly diagnostics: StoreDiagnostics;
  /** What to do when the store takes no more: go on in memory, or fail. */
  readonly onFull: "memory" | "error";
  /** Whether other models may be deleted to make room; default false. */
  readonly evict?: boolean | undefined;
  /** Ends the wait for another tab that writes the same image. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The place of an image, with what is there of it. In memory, and gone with this session, without a store or a model in it. Waits while
 * another tab writes an image of the same model, and keeps others from it until `complete` or `close`.
 *
 * @throws {ShaderloomError} AbortError; QUOTA.full, STORE.* when `onFull` is "error"
 */
export async function openImage(options: ImageOptions): Promise<WeightImage> {
  const { models, model, plan, signal, diagnostics, onFull, evict = false } = options;
  if (models === undefined || model === undefined) return new SectionImage(options, undefined);
  const file = describeImage(model, plan);
  try {
    return new SectionImage(options, await openStoredPlace({ models, file, diagnostics, signal, evict }));
  } catch (thrown) {
    if (onFull === "error" || !isRefusal(thrown)) throw thrown;
    countRefusal(diagnostics, thrown);
    return new SectionImage(options, undefined);
  }
}

/** The image as a file of the store: other sizes are another file. */
export function describeImage(
  { id, name }: { readonly id: string; readonly name: string },
  { revision, chunkBytes, bytes }: ImagePlan,
): FileDescription & { readonly model: string } {
  return { url: imageScheme + id, revision: `${revision} ${bytes} ${chunkBytes}`, name, bytes, chunkBytes, sha256: null, model: id };
}

class SectionImage implements WeightImage {
  readonly #plan: ImagePlan;
  readonly #diagnostics: StoreDiagnostics;
  readonly #onFull: "memory" | "error";
  readonly #stored: StoredPlace | undefined;
  readonly #memory: MemoryChunks = memoryChunks();
  /** Sections that are in memory, by their place in the plan. */
  readonly #inMemory = new Set<number>();
  /** Sections that were made anew: what is lost once more is not trusted to the store again. */
  readonly #rewritten = new Set<number>();
  /** The store refused a section: it is asked no more. */
  #full = false;
  #completed: boolean;
  #spoiled: ShaderloomError | undefined;
  #closed = false;

  constructor({ plan, diagnostics, onFull }: ImageOptions, stored: StoredPlace | undefined) {
    this.#plan = plan;
    this.#diagnostics = diagnostics;
    this.#onFull = onFull;
    this.#stored = stored;
    this.#completed = stored?.completed ?? false;
  }

  get tier(): StoreTier {
    return this.#stored === undefined || this.#inMemory.size > 0 ? "memory" : this.#stored.tier;
  }

  get completed(): boolean {
    return this.#completed;
  }

  get readsAtOnce(): number {
    return readsAtOnceFrom(this.#stored?.tier ?? "memory");
  }

  missing(): readonly number[] {
    return [...this.#plan.sections.keys()].filter((at) => !this.#has(at));
  }

  async write(section: number, bytes: Bytes): Promise<void> {
    const { chunkBytes } = this.#plan;
    const place = this.#section(section);
    assert(bytes.length === place.chunks * chunkBytes, `section ${section} has ${place.chunks} chunks, not ${bytes.length} bytes`);
    this.#check();
    const chunks = chunkNumbers(place).map((index, at) => ({ index, bytes: bytes.subarray(at * chunkBytes, (at + 1) * chunkBytes) }));
    if (this.#completed && (await this.#stored?.areSame(chunks)) === false) throw await this.#spoil(section);
    const again = this.#rewritten.has(section);
    if (this.#stored === undefined || this.#full || again || this.#inMemory.has(section)) return this.#keep(section, chunks);
    if (this.#completed) this.#rewritten.add(section);
    try {
      await this.#stored.put(chunks);
    } catch (thrown) {
      if (this.#onFull === "error" || !isRefusal(thrown)) throw thrown;
      countRefusal(this.#diagnostics, thrown);
      this.#full = true;
      // Whoever waits to write the same image may have more luck.
      this.#stored.release();
      return this.#keep(section, chunks);
    }
    if (this.#completed && this.#inMemory.size === 0 && this.missing().length === 0) await this.#stored.complete().catch(unlessRefused);
  }

  async read(section: number, chunk: number, into: Bytes): Promise<boolean> {
    const { chunkBytes } = this.#plan;
    const { firstChunk, chunks } = this.#section(section);
    assert(chunk >= 0 && chunk < chunks && into.length <= chunkBytes, `no chunk ${chunk} of section ${section} in ${into.length} bytes`);
    this.#check();
    // Mapped memory has no length any more once its device is lost.
    if (into.length < chunkBytes) throw lostPlace();
    const index = firstChunk + chunk;
    if (this.#inMemory.has(section)) return this.#memory.read(index, into);
    return this.#stored === undefined ? false : this.#stored.read(index, into);
  }

  async complete(): Promise<void> {
    this.#check();
    const missing = this.missing();
    if (missing.length > 0) throw evicted(missing.length);
    try {
      if (this.#inMemory.size === 0) await this.#stored?.complete();
    } catch (thrown) {
      // What was deleted meanwhile has to be written again; what could only not be noted is as good for this session.
      if (this.#onFull === "error" || !isRefusal(thrown) || this.missing().length > 0) throw thrown;
      countRefusal(this.#diagnostics, thrown);
    }
    this.#completed = true;
    this.#stored?.release();
    if (this.#inMemory.size === 0) await this.#stored?.deleteOthers().catch(unlessRefused);
  }

  async clear(): Promise<void> {
    this.#check();
    this.#completed = false;
    this.#memory.clear();
    this.#inMemory.clear();
    await this.#stored?.clear();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stored?.close();
    this.#memory.clear();
  }

  #has(section: number): boolean {
    if (this.#inMemory.has(section)) return chunkNumbers(this.#section(section)).every((index) => this.#memory.has(index));
    const stored = this.#stored;
    return stored !== undefined && chunkNumbers(this.#section(section)).every((index) => stored.has(index));
  }

  async #keep(section: number, chunks: ReadonlyArray<{ readonly index: number; readonly bytes: Bytes }>): Promise<void> {
    for (const { index, bytes } of chunks) await this.#memory.put(index, bytes);
    this.#inMemory.add(section);
  }

  #section(at: number): Section {
    const section = this.#plan.sections[at];
    assert(section !== undefined, `the image has no section ${at}`);
    return section;
  }

  /** The layers that are in use go with the old bytes: nothing is read or written any more, and the next load makes a new image. */
  async #spoil(section: number): Promise<ShaderloomError> {
    const message = "The stored model no longer has the weights that its streamed copy was made of. Load the model again.";
    this.#spoiled = new ShaderloomError("INTEGRITY.image", message, { retryable: true, detail: { section } });
    await this.#stored?.clear().catch(unlessRefused);
    return this.#spoiled;
  }

  #check(): void {
    if (this.#spoiled) throw this.#spoiled;
    if (this.#closed) throw new ShaderloomError("STORE.closed", "The image of the weights was closed. Load the model again.");
  }
}

/** Reads of an image that may be under way together: those of the private file system do not wait, and so cannot wait side by side. */
export function readsAtOnceFrom(tier: StoreTier): number {
  return tier === "opfs" || tier === "memory" ? 1 : 3;
}

function chunkNumbers({ firstChunk, chunks }: Section): number[] {
  return Array.from({ length: chunks }, (_, at) => firstChunk + at);
}

/** Whether the store does not take or give what it should, so that memory may. */
function isRefusal(thrown: unknown): thrown is ShaderloomError {
  if (!(thrown instanceof ShaderloomError) || thrown.code === "STORE.closed") return false;
  return thrown.code.startsWith("QUOTA") || thrown.code.startsWith("STORE");
}

function countRefusal(diagnostics: StoreDiagnostics, { code }: ShaderloomError): void {
  if (code.startsWith("QUOTA")) diagnostics.quotaRefusals++;
  else diagnostics.storeFailures++;
}

/** What was written is there; tidying up can wait. */
function unlessRefused(thrown: unknown): void {
  if (!isRefusal(thrown)) throw thrown;
}

function evicted(sections: number): ShaderloomError {
  const message = `${sections} layers of the streamed copy are not there: the browser or its user deleted them. Load the model again.`;
  return new ShaderloomError("STORE.evicted", message, { retryable: true, detail: { sections } });
}
