// What becomes of chunks once they are whole: stored while the store takes them, in memory alone from the moment it refuses. Every refusal
// is counted, and the first is kept as the reason.

import { ShaderloomError, asShaderloomError } from "../../base/errors.ts";
import type { StoreDiagnostics } from "../../store/diagnostics.ts";
import type { ModelStore } from "../../store/model_store.ts";
import type { StoredFile } from "../../store/stored_file.ts";
import { noRoom } from "./errors.ts";
import type { ChunkKeeper } from "./downloader.ts";

/** What may be done when the store is full. */
export interface FullRules {
  /** Go on without storing, or fail. */
  readonly onFull: "memory" | "error";
  /** Whether models used longest ago may be deleted to make room. */
  readonly evict: boolean;
}

export interface StoreKeeperParts extends FullRules {
  readonly file: StoredFile;
  readonly models: ModelStore;
  readonly diagnostics: StoreDiagnostics;
  /** Whether anything is written at all. */
  readonly writes: boolean;
}

export class StoreKeeper implements ChunkKeeper {
  readonly #parts: StoreKeeperParts;
  readonly #recorded: ReadonlyArray<string | undefined>;
  #storing: boolean;
  /** False once the store failed to read or write at all. */
  #usable = true;
  #warning: ShaderloomError | undefined;
  #makingRoom: Promise<boolean> | undefined;

  constructor(parts: StoreKeeperParts) {
    this.#parts = parts;
    this.#storing = parts.writes;
    const { file } = parts;
    this.#recorded = Array.from({ length: file.chunkCount }, (_, index) => file.sha256Of(index));
  }

  get storing(): boolean {
    return this.#storing;
  }

  get warning(): ShaderloomError | undefined {
    return this.#warning;
  }

  /** The refusal with which the load is to end; the reader may have had all its bytes before it came. */
  get failure(): ShaderloomError | undefined {
    return this.#parts.onFull === "error" && this.#warning?.code.startsWith("QUOTA") === true ? this.#warning : undefined;
  }

  has(index: number): boolean {
    return this.#usable && this.#parts.file.has(index);
  }

  recorded(index: number): string | undefined {
    return this.#recorded[index];
  }

  async put(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      await this.#parts.file.put(index, bytes);
    } catch (thrown) {
      const error = asShaderloomError(thrown, "STORE.internal");
      if (!error.code.startsWith("QUOTA")) return this.refuse(error);
      if (!this.#storing) return;
      this.#parts.diagnostics.quotaRefusals++;
      if (!(await this.#makeRoom())) return this.#full(error);
      await this.#putAgain(index, bytes);
    }
  }

  async read(index: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (!this.has(index)) return undefined;
    try {
      return await this.#parts.file.read(index, into);
    } catch (thrown) {
      this.#usable = false;
      this.refuse(asShaderloomError(thrown, "STORE.internal"));
      return undefined;
    }
  }

  async clear(): Promise<void> {
    await this.#parts.file.clear().catch((thrown: unknown) => this.refuse(asShaderloomError(thrown, "STORE.internal")));
  }

  /** The store is out of order: the load goes on without it. */
  refuse(error: ShaderloomError): void {
    if (this.#storing || this.#warning === undefined) this.#parts.diagnostics.storeFailures++;
    this.#storing = false;
    this.#warning ??= error;
  }

  async #putAgain(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      await this.#parts.file.put(index, bytes);
    } catch (thrown) {
      const error = asShaderloomError(thrown, "STORE.internal");
      if (!error.code.startsWith("QUOTA")) return this.refuse(error);
      this.#parts.diagnostics.quotaRefusals++;
      await this.#full(error);
    }
  }

  /** Once for a load: writes that are refused at the same time wait for the same room. */
  async #makeRoom(): Promise<boolean> {
    const { evict, models, file, diagnostics } = this.#parts;
    if (!evict) return false;
    const { bytes, model } = file.manifest;
    this.#makingRoom ??= models.evict(bytes - file.storedBytes, model, diagnostics).then(
      (freed) => freed > 0,
      () => false,
    );
    return this.#makingRoom;
  }

  async #full(cause: ShaderloomError): Promise<void> {
    const { models, file } = this.#parts;
    const { availableBytes } = await models.space().catch(() => ({ availableBytes: null }));
    // Together with the reason, so that nobody sees the one without the other.
    this.#storing = false;
    const { name, bytes } = file.manifest;
    const full = noRoom(name, bytes - file.storedBytes, availableBytes);
    this.#warning ??= new ShaderloomError(full.code, full.message, { retryable: full.retryable, detail: full.detail, cause });
    if (this.failure !== undefined) throw this.failure;
  }
}

/** For files that are stored nowhere. */
export const noKeeper: ChunkKeeper = {
  storing: false,
  has: () => false,
  recorded: () => undefined,
  put: async () => undefined,
  read: async () => undefined,
  clear: async () => undefined,
};
