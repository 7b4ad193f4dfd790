// ModelStore: all stored models of this origin (or folder): found by address, listed, verified, deleted, evicted, and guarded by
// locks so that two tabs neither download the same file twice nor delete it under each other.

import type { StoreTier } from "./chunk_store.ts";
import type { StoreDiagnostics } from "./diagnostics.ts";
import type { FileIdentity, Manifest } from "./manifest.ts";
import type { StoredFile } from "./stored_file.ts";

/**
 * A model as it is listed. `remembered` ones are files of this computer that are read in place: nothing of them is copied. A `copy` is no model
 * but what was made of a file of this computer to stream it from; the file itself is loaded as ever.
 */
export interface StoredModel {
  readonly id: string;
  readonly kind: "downloaded" | "imported" | "remembered" | "copy";
  readonly name: string;
  /** Give it to `createEngine` as `model`: the address it came from, or `stored:<id>`. */
  readonly location: string;
  readonly revision: string;
  /** Of all its files. */
  readonly bytes: number;
  /** Bytes that are here; equal to `bytes` when nothing is left to download, 0 for remembered files. */
  readonly storedBytes: number;
  /** Bytes that are here beside them of what was made from the model: its streamed copy. */
  readonly imageBytes: number;
  readonly complete: boolean;
  /** Whether the whole was hashed and is what its origin or the caller promised. */
  readonly verified: boolean;
  readonly tier: StoreTier;
  readonly files: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly usedAt: number;
}

/** What is needed to make or find the place of a file. */
export interface FileDescription extends FileIdentity {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string | null;
  /** The id of the model's first file; absent for the first file itself. */
  readonly model?: string | undefined;
  /** Bytes of its chunks where the store's own would waste room. A stored file keeps those that it has. */
  readonly chunkBytes?: number | undefined;
}

/** What the browser says of its storage. Advice: the quota it reports is not the one it keeps to. */
export interface StorageSpace {
  /** Bytes of this origin, all of its uses. */
  readonly usedBytes: number | null;
  readonly availableBytes: number | null;
  /** Whether the browser promised not to evict this origin by itself. */
  readonly persisted: boolean;
}

export interface WorkOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** A lock that is held until released. Also released when the tab dies. */
export interface Hold {
  release(): void;
}

/** How far the tab that downloads a file has come. */
export interface DownloadNews {
  readonly loaded: number;
  readonly total: number;
  readonly bytesPerSecond: number;
}

export interface ModelStore {
  readonly tier: StoreTier;
  /**
   * Manifests of an address, complete ones first, then the newest first: when a file has changed at its address the old version may still
   * be in use, but is not what a new load wants. Files in a tier that cannot be read here are left out.
   */
  find(url: string): Promise<Manifest[]>;
  /** Manifests of a model, the first file first. */
  filesOf(model: string): Promise<Manifest[]>;
  /**
   * The file's place, with what is stored of it already; made when it is not there. Reconciles manifest, records and chunks. A complete
   * file keeps the hash it was promised with, whatever this description promises.
   *
   * @throws {ShaderloomError} SOURCE.changed when a complete file of this identity has another length, STORE.unavailable when it is stored
   * in a tier that cannot be read here, QUOTA.full, STORE.*
   */
  open(file: FileDescription, diagnostics: StoreDiagnostics): Promise<StoredFile>;
  /** Notes that a model was used now. */
  touch(model: string): Promise<void>;

  list(): Promise<StoredModel[]>;
  /**
   * Hashes every stored chunk with sha256, and the whole where a whole hash is known. Damaged chunks are dropped, and the next
   * load fetches them again. Progress in bytes.
   *
   * @throws {ShaderloomError} STORE.busy while a tab downloads it, STORE.missing, AbortError
   */
  verify(model: string, options?: WorkOptions): Promise<{ readonly chunks: number; readonly damaged: number }>;
  /** @throws {ShaderloomError} STORE.busy while a tab uses or downloads it (`detail.reason`), STORE.missing */
  delete(model: string): Promise<void>;
  /**
   * Deletes models used longest ago, never one in use nor `except`, until `bytes` are freed or none is left.
   *
   * @param diagnostics counts the deleted models
   * @returns bytes freed
   */
  evict(bytes: number, except: string, diagnostics?: StoreDiagnostics): Promise<number>;
  /**
   * Deletes older versions of a model once its newest is complete, except those in use: a later call gets them. Called without holding the
   * address's download lock.
   */
  deleteSuperseded(url: string): Promise<void>;
  /**
   * Deletes what was made from a model, such as its streamed copies, except one and those in use (`holdModel` of their id).
   *
   * @param except id of the file that stays
   * @returns bytes freed
   */
  deleteImages(model: string, except?: string): Promise<number>;

  space(): Promise<StorageSpace>;
  /** Asks the browser to keep this origin's data. @returns whether it will */
  persist(): Promise<boolean>;

  /**
   * Copies a local file. What an import of the same name, size and date has stored is compared and not written again. Progress in bytes.
   *
   * @throws {ShaderloomError} SOURCE.changed when the file changes meanwhile, STORE.busy while it is copied in another tab, QUOTA.full, STORE.*,
   * AbortError; what was stored stays
   */
  importFile(file: File, options?: WorkOptions): Promise<StoredModel>;
  /** Remembers a File System Access handle, to be read in place. */
  remember(handle: FileSystemFileHandle): Promise<StoredModel>;
  /**
   * The remembered file, after asking for permission if the browser wants that (which takes a user's click).
   *
   * @throws {ShaderloomError} SOURCE.permission when the user has to be asked and this call may not, SOURCE.denied when the user said no,
   * SOURCE.missing when the file was moved or deleted, STORE.missing
   */
  fileOf(model: string): Promise<File>;

  /** One downloader of an address at a time, over all tabs. `onNews` tells of the other one's progress while waiting. */
  lockDownload(
    url: string,
    options: { readonly signal?: AbortSignal | undefined; readonly onNews?: (news: DownloadNews) => void },
  ): Promise<Hold>;
  /** Tells tabs that wait for this address. */
  announce(url: string, news: DownloadNews): void;
  /** Guards a model against deletion while it is in use; shared. */
  holdModel(model: string): Promise<Hold>;

  close(): void;
}

/**
 * Where new files are stored; what is stored already is read wherever it is. `opfs` takes a worker and `files` a `folder`: a wish that
 * cannot be met gives way to the best there is, and `tier` of the store says what that was.
 */
export interface ModelStoreOptions {
  readonly tier?: StoreTier | undefined;
  /** A folder, in Node. */
  readonly folder?: string | undefined;
  /** Told each time that a lost connection was opened again. */
  readonly onReconnect?: (() => void) | undefined;
}
