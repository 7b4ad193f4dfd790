// What the tests ask of the page under test, and what it answers. Plain data: it crosses from Node into the tab and from the tab
// into its worker.

import type { PlainError } from "../src/base/errors.ts";
import type { StoreDiagnostics } from "../src/store/diagnostics.ts";
import type { DownloadNews, StorageSpace, StoredModel } from "../src/store/model_store.ts";

/** Tiers that a browser has on disk. */
export type BrowserTier = "indexeddb" | "opfs";

/** Reads a whole file through the store, in an order of its own, and ends well. */
export interface DownloadOrder {
  readonly act: "download";
  readonly url: string;
  readonly tier: BrowserTier;
  /** Of the order in which the reader wants the file. */
  readonly seed: number;
  /** How much is read at once: whole chunks as the loader does, or pieces that begin and end anywhere (the default). */
  readonly pieces?: "chunks" | "any";
  readonly mode?: "use" | "refresh" | "off";
  readonly onFull?: "memory" | "error";
  readonly evict?: boolean;
  readonly sha256?: string;
  readonly stallMs?: number;
  readonly retries?: number;
  readonly backOffMs?: number;
  readonly token?: string;
  /** Makes each step of storing take up to so many milliseconds more, so that a kill finds the store between any two of them. */
  readonly slowMs?: number;
  /** Goes on without a store that cannot be opened, as the engine does. */
  readonly storeMayFail?: boolean;
  /** Keeps the model from being deleted until `release`. */
  readonly hold?: boolean;
}

export type Order =
  | DownloadOrder
  /** What lies in the store, looked at from below: without the code that mends. */
  | { readonly act: "inspect"; readonly tier: BrowserTier }
  | { readonly act: "list"; readonly tier: BrowserTier }
  | { readonly act: "verify"; readonly tier: BrowserTier; readonly model: string }
  | { readonly act: "delete"; readonly tier: BrowserTier; readonly model: string }
  | { readonly act: "release" }
  | { readonly act: "space"; readonly tier: BrowserTier }
  | { readonly act: "locks" }
  /** Holds the store's database open while a newer version waits to change it: nobody else gets in. */
  | { readonly act: "squat" }
  /** Makes the store's database one of a later version of this software. */
  | { readonly act: "upgrade" }
  /**
   * From here on the browser misbehaves in this tab, so many times: IndexedDB cannot be opened, or loses its connection, as where the
   * backing store is broken; files take bytes and lose them; or the browser says that it has no room.
   */
  | { readonly act: "break"; readonly how: "open" | "connection" | "files" | "estimate"; readonly times: number }
  /** Flips one bit of a small value, as a disk would that no checksum of the database guards. Counts bits from the value's start. */
  | { readonly act: "tamper"; readonly key: string; readonly bit: number }
  | { readonly act: "keys" };

export interface DownloadOutcome {
  readonly size: number;
  /** Of the bytes as the reader got them. */
  readonly sha256: string;
  readonly diagnostics: StoreDiagnostics;
  readonly stored: {
    readonly tier: string;
    readonly model: string;
    readonly complete: boolean;
    readonly verified: boolean;
  } | null;
  /** Why the file is not stored, or not all of it. */
  readonly warning: PlainError | null;
  /** Moments of another tab's download, while this one waited. */
  readonly news: readonly DownloadNews[];
}

export interface InspectedFile {
  readonly id: string;
  readonly url: string;
  readonly revision: string;
  readonly state: string;
  readonly verified: boolean;
  readonly bytes: number;
  readonly tier: string;
  /** Chunks with a record: whether there are bytes at all, and whether they have the sha256 that the record says. */
  readonly chunks: ReadonlyArray<{ readonly index: number; readonly gone: boolean; readonly right: boolean; readonly sha256: string }>;
}

export interface Outcomes {
  download: DownloadOutcome;
  inspect: { readonly files: readonly InspectedFile[]; readonly unreadable: readonly string[] };
  list: readonly StoredModel[];
  verify: { readonly chunks: number; readonly damaged: number };
  delete: null;
  release: null;
  space: StorageSpace;
  locks: { readonly held: number; readonly pending: number };
  squat: null;
  upgrade: null;
  break: null;
  tamper: null;
  keys: readonly string[];
}

/** An order either came to its end or was refused with an error, whose code is `UNTYPED` when it was not one of ours. */
export type Answer<Act extends Order["act"]> =
  | { readonly ok: true; readonly value: Outcomes[Act] }
  | { readonly ok: false; readonly error: Omit<PlainError, "code"> & { readonly code: string }; readonly diagnostics?: StoreDiagnostics };

/** Told while an order is carried out. */
export type Report =
  /** A chunk is about to be stored; it is stored, with its record; the file is complete. */
  | { readonly what: "putting" | "put"; readonly url: string; readonly index: number }
  | { readonly what: "completed"; readonly url: string }
  | { readonly what: "news"; readonly news: DownloadNews }
  /** A promise that nobody looked after: always a defect. */
  | { readonly what: "unhandled"; readonly message: string };
