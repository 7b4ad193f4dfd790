// Picks the ByteSource for whatever a file was given as: an address, a hub path, a stored model, a File, a Blob or bytes.

import { throwIfAborted } from "../base/errors.ts";
import { noDiagnostics } from "../store/diagnostics.ts";
import type { StoreDiagnostics } from "../store/diagnostics.ts";
import type { DownloadNews } from "../store/model_store.ts";
import { openBlobSource } from "./blob_source.ts";
import { bytesSource } from "./byte_source.ts";
import type { ByteSource } from "./byte_source.ts";
import type { RemoteOptions } from "./download/open.ts";
import type { StoreUse } from "./download/place.ts";
import type { DownloadPool } from "./download/pool.ts";
import type { HttpOptions } from "./http/context.ts";
import type { HubOptions } from "./http/hub.ts";

export type { ByteSource } from "./byte_source.ts";
export type { StoreUse } from "./download/place.ts";
export type { HubOptions } from "./http/hub.ts";

/** What a file can be given as. Strings are addresses (relative ones against the page or worker), `hf:` paths or `stored:` ids. */
export type FileLocation = string | URL | File | Blob | ArrayBuffer | Uint8Array;

/** What a model can be given as: its file; of a split model the first of its files, where addresses tell the others, or all in any order. */
export type ModelLocation = FileLocation | readonly FileLocation[];

export interface OpenSourceOptions extends Omit<HttpOptions, "headers"> {
  readonly hub?: HubOptions;
  /** Where remote files are looked for and stored; without it nothing is. */
  readonly store?: StoreUse;
  /** What the whole file's sha256 is to be, 64 hex digits; checked by `finish`. */
  readonly sha256?: string;
  /** Counts what was read from where and what was mended. */
  readonly diagnostics?: StoreDiagnostics;
  /** Told while another tab downloads the same file. */
  readonly onNews?: (news: DownloadNews) => void;
  /** The id of the model's first file, for files after it. */
  readonly model?: string;
  /** Which of the model's files, where the location is a stored model; 0. */
  readonly file?: number;
  /** What the files of one load share: memory and connections. Filled with the first file that is not at hand. */
  readonly shared?: { pool?: DownloadPool };
  /** For a look at the header: nothing is written, locked or waited for. */
  readonly peek?: boolean;
}

const storedScheme = "stored:";

/**
 * Opens a location for reading. Of a remote file that is not stored it reads the first MiB, unless the server has no byte ranges.
 *
 * @throws {ShaderloomError} SOURCE.*, NET.*, INTEGRITY.*, QUOTA.full when the store's `onFull` is `error`, STORE.* for stored models,
 *   REQUEST.*, LIMIT.memory or AbortError
 */
export async function openSource(location: FileLocation, options: OpenSourceOptions = {}): Promise<ByteSource> {
  throwIfAborted(options.signal);
  const { sha256, store, diagnostics = noDiagnostics() } = options;
  if (sha256 !== undefined) (await import("./download/whole_hash.ts")).assertHash(sha256);
  if (location instanceof Blob) return checked(openBlobSource(location), sha256);
  if (location instanceof ArrayBuffer) return checked(bytesSource(new Uint8Array(location)), sha256);
  if (location instanceof Uint8Array) return checked(bytesSource(location), sha256);
  const remote: Remote = { ...options, diagnostics };
  if (typeof location === "string" && location.startsWith(storedScheme)) {
    return openInStore(location.slice(storedScheme.length), options, remote);
  }
  return openAddress(location, options.peek === true, { ...remote, store });
}

/** With a `finish` that compares all of it with what was promised. */
async function checked(source: ByteSource, sha256: string | undefined): Promise<ByteSource> {
  return sha256 === undefined ? source : (await import("./download/whole_hash.ts")).checkedSource(source, sha256);
}

/** Options of a remote file, whose pool may be yet to come. */
type Remote = Omit<RemoteOptions, "pool"> & Pick<OpenSourceOptions, "shared">;

async function openAddress(location: string | URL, peek: boolean, { shared = {}, ...options }: Remote): Promise<ByteSource> {
  // A chunk of its own: files at hand need none of it.
  const { DownloadPool, hubHeaders, openHttpSource, openRemote, openStoredPart, resolveLocation } = await import("./remote.ts");
  const url = resolveLocation(location, options.hub);
  const remote: RemoteOptions = { ...options, pool: (shared.pool ??= new DownloadPool()) };
  if (!peek) return openRemote(url, remote);
  const stored = remote.store === undefined ? undefined : await openStoredPart(url, remote, remote.store);
  if (stored !== undefined) return stored;
  const { diagnostics, hub } = remote;
  const onNetworkBytes = (count: number): void => {
    diagnostics.networkBytes += count;
  };
  return openHttpSource(url, { ...remote, onNetworkBytes, headers: hubHeaders(url, hub) });
}

async function openInStore(id: string, options: OpenSourceOptions, remote: Remote): Promise<ByteSource> {
  const { store, file = 0, peek = false, sha256 } = options;
  const { openStored } = await import("./stored_source.ts");
  return openStored(id, {
    models: store?.models,
    diagnostics: remote.diagnostics,
    file,
    peek,
    openAddress: (url, own) => openAddress(url, peek, { ...remote, store: store && { ...store, mode: "use" }, id: own }),
    checked: (source) => checked(source, sha256),
  });
}
