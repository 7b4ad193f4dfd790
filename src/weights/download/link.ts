// A link to the server that has a file: where it is fetched from (of a hub: the commit behind the branch, so that a moving branch cannot
// mix), what tells its version, what hash it is promised to have, and ranges of its bytes.

import type { StoreDiagnostics } from "../../store/diagnostics.ts";
import { conflictingPromises } from "./errors.ts";
import type { FileFacts } from "./facts.ts";
import { manifestUrl } from "./address.ts";
import type { DownloadPool } from "./pool.ts";
import { httpContext } from "../http/context.ts";
import type { HttpOptions } from "../http/context.ts";
import { changed } from "../http/errors.ts";
import { fetchRange, probe } from "../http/file.ts";
import type { HttpFile } from "../http/file.ts";
import { hubFileOf, hubFileUrl, hubHeaders } from "../http/hub.ts";
import type { HubOptions } from "../http/hub.ts";
import { askHub } from "../http/hub_api.ts";

export interface LinkOptions extends HttpOptions {
  readonly hub?: HubOptions | undefined;
  /** What the caller says the whole file's sha256 is. */
  readonly sha256?: string | undefined;
  readonly diagnostics: StoreDiagnostics;
  readonly pool: DownloadPool;
}

export interface Link {
  readonly size: number;
  /** What the file's origin says; not what the caller promises, which is no sign of what the server has. */
  readonly facts: FileFacts;
  /** Bytes that came with the first look. */
  readonly first: { readonly start: number; readonly bytes: Uint8Array };
  /** sha256 of the whole, as promised by the caller or the file's origin. */
  readonly promised: string | undefined;
  /** Set where the server has no ranges: all of it has come already. `exact` when it was as long as announced. */
  readonly whole: HttpFile["whole"];
  fetchRange(start: number, end: number, signal: AbortSignal): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** Bytes of a Blob that are read at once. */
const blobRunBytes = 1 << 20;

/**
 * @param look which bytes to ask for first, if the server has ranges
 * @throws {ShaderloomError} NET.*, SOURCE.*, INTEGRITY.sha256 when promises contradict each other, REQUEST.token, LIMIT.memory, AbortError
 */
export async function connect(url: URL, options: LinkOptions, look: { readonly start: number; readonly length: number }): Promise<Link> {
  const { hub = {}, diagnostics, pool, signal } = options;
  const name = manifestUrl(url);
  const onHub = hubFileOf(url, hub);
  const said = onHub === undefined ? {} : await askHub(onHub, hub, { fetch: options.fetch, signal });
  const address = onHub === undefined || said.commit === undefined ? url : hubFileUrl({ ...onHub, revision: said.commit }, hub);
  const plain = httpContext(address, {
    ...options,
    headers: { ...options.headers, ...hubHeaders(address, hub) },
    activity: pool.activity,
    onNetworkBytes: (count) => {
      diagnostics.networkBytes += count;
      options.onNetworkBytes?.(count);
    },
    onRetry: (error) => {
      diagnostics.retries++;
      if (error.code === "NET.rate") pool.slowDown();
      options.onRetry?.(error);
    },
  });
  const context = { ...plain, name };
  const file = await probe(context, { ...look, signal });
  if (said.size !== undefined && said.size !== file.size) throw changed(name);
  const origin = said.sha256 ?? file.facts.sha256;
  if (options.sha256 !== undefined && origin !== undefined && options.sha256 !== origin) {
    throw conflictingPromises(name, options.sha256, origin);
  }
  const promised = options.sha256 ?? origin;
  const facts: FileFacts = { ...file.facts, commit: said.commit ?? file.facts.commit, sha256: origin, size: file.size };
  // Ranges are fetched for as long as the download takes; the first bytes are not kept for that.
  const pinned: HttpFile = { ...file, facts, first: { start: 0, bytes: new Uint8Array(0) } };
  return {
    size: file.size,
    facts,
    first: file.first,
    promised,
    whole: file.whole,
    fetchRange: (start, end, until) =>
      pinned.whole === undefined ? fetchRange(context, pinned, { start, end, signal: until }) : runsOf(pinned.whole.blob, start, end),
  };
}

async function* runsOf(blob: Blob, start: number, end: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = start; at < end; at += blobRunBytes) {
    yield new Uint8Array(await blob.slice(at, Math.min(at + blobRunBytes, end)).arrayBuffer());
  }
}
