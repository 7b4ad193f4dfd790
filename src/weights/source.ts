// Picks the ByteSource for whatever a model was given as: an address, a hub path, a File, a Blob or bytes.

import { ShaderloomError, throwIfAborted } from "../base/errors.ts";
import { openBlobSource } from "./blob_source.ts";
import { bytesSource } from "./byte_source.ts";
import type { ByteSource } from "./byte_source.ts";
import { openHttpSource } from "./http_source.ts";
import type { HttpOptions } from "./http_context.ts";
import { hubHeaders, isHubPath, resolveHubPath } from "./hub.ts";
import type { HubOptions } from "./hub.ts";

export type { ByteSource } from "./byte_source.ts";
export type { HubOptions } from "./hub.ts";

/** What a file can be given as. Strings are addresses (relative ones against the page or worker) or `hf:` paths. */
export type FileLocation = string | URL | File | Blob | ArrayBuffer | Uint8Array;

/** What a model can be given as: its file; of a split model the first of its files, where addresses tell the others, or all in any order. */
export type ModelLocation = FileLocation | readonly FileLocation[];

export interface OpenSourceOptions extends Omit<HttpOptions, "headers"> {
  readonly hub?: HubOptions;
}

/**
 * Opens a location for reading. Of a remote file it reads the first MiB at most, unless the server has no byte ranges.
 *
 * @throws {ShaderloomError} SOURCE.*, NET.*, REQUEST.* or AbortError
 */
export async function openSource(location: FileLocation, options: OpenSourceOptions = {}): Promise<ByteSource> {
  throwIfAborted(options.signal);
  if (location instanceof Blob) return openBlobSource(location);
  if (location instanceof ArrayBuffer) return bytesSource(new Uint8Array(location));
  if (location instanceof Uint8Array) return bytesSource(location);
  const url = typeof location === "string" && isHubPath(location) ? resolveHubPath(location, options.hub) : parseAddress(location);
  return openHttpSource(url, { ...options, headers: hubHeaders(url, options.hub) });
}

function parseAddress(location: string | URL): URL {
  const base = "location" in globalThis ? globalThis.location.href : undefined;
  // An address in a message loses its query, which may be a signature.
  const shown = JSON.stringify(
    String(location)
      .split(/[?#]/)[0]
      .replace(/\/\/[^/]*@/, "//"),
  );
  if (!URL.canParse(location, base)) throw badLocation(`${shown} is no address`);
  const url = new URL(location, base);
  if (!["http:", "https:", "blob:", "data:"].includes(url.protocol)) throw badLocation(`${shown} is not an http(s) address`);
  if (url.username !== "" || url.password !== "") throw badLocation("An address with a user name or password in it cannot be fetched");
  return url;
}

function badLocation(problem: string): ShaderloomError {
  return new ShaderloomError("SOURCE.location", `${problem}. Give a full https address, an hf: path, or pick a local file.`);
}
