// Addresses of files in a model hub: `hf:owner/repo/path/file.gguf@revision` to a URL, and which requests may carry the token.

import { ShaderloomError } from "../../base/errors.ts";

/** How to reach a model hub. */
export interface HubOptions {
  /** Where the hub is; a mirror may have a path. `https://huggingface.co` unless told. */
  readonly endpoint?: string;
  /** For gated and private files. Sent to the endpoint's origin only, kept nowhere. */
  readonly token?: string;
}

const defaultEndpoint = "https://huggingface.co";
const scheme = "hf:";

export function isHubPath(location: string): boolean {
  return location.startsWith(scheme);
}

/** A file in a repository of a hub. */
export interface HubFile {
  readonly owner: string;
  readonly repo: string;
  /** Inside the repository. */
  readonly path: string;
  /** A branch, tag or commit. */
  readonly revision: string;
}

/** @throws {ShaderloomError} SOURCE.location when the path has not the form owner/repo/path[@revision] */
export function parseHubPath(location: string): HubFile {
  const rest = location.slice(scheme.length);
  const at = rest.lastIndexOf("@");
  const revision = at < 0 ? "main" : rest.slice(at + 1);
  const segments = (at < 0 ? rest : rest.slice(0, at)).split("/");
  if (segments.length < 3 || revision === "" || [...segments, revision].some(unsafe)) {
    const message = `${JSON.stringify(location)} is no hub path. Write it as hf:owner/repo/file.gguf, with @revision at the end if needed.`;
    throw new ShaderloomError("SOURCE.location", message);
  }
  const [owner, repo, ...path] = segments;
  return { owner, repo, path: path.join("/"), revision };
}

function unsafe(part: string): boolean {
  return part === "" || part === "." || part === "..";
}

/** Where the bytes of a file are. */
export function hubFileUrl({ owner, repo, path, revision }: HubFile, options: HubOptions = {}): URL {
  const inside = path.split("/").map(encodeURIComponent).join("/");
  const address = [owner, repo, "resolve", revision].map(encodeURIComponent).join("/");
  return new URL(`${endpointBase(options)}/${address}/${inside}`);
}

/** Where the hub answers questions about a file's repository. */
export function hubApiUrl({ owner, repo }: HubFile, call: string, options: HubOptions = {}): URL {
  return new URL(`${endpointBase(options)}/api/models/${encodeURIComponent(owner)}/${encodeURIComponent(repo)}/${call}`);
}

/** The file behind an address of the endpoint, as people copy them from its pages; undefined for all others. */
export function hubFileOf(url: URL, options: HubOptions = {}): HubFile | undefined {
  const base = `${endpointBase(options)}/`;
  const bare = `${url.origin}${url.pathname}`;
  if (!bare.startsWith(base)) return undefined;
  const parts = bare.slice(base.length).split("/").map(decoded);
  const [owner, repo, verb, revision, ...path] = parts;
  if (verb !== "resolve" || path.length === 0 || parts.some((part) => part === undefined || unsafe(part))) return undefined;
  return { owner: owner ?? "", repo: repo ?? "", revision: revision ?? "", path: path.join("/") };
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

function endpointBase(options: HubOptions): string {
  return endpointUrl(options).href.replace(/\/+$/, "");
}

/** @throws {ShaderloomError} SOURCE.location, REQUEST.endpoint */
export function resolveHubPath(location: string, options: HubOptions = {}): URL {
  return hubFileUrl(parseHubPath(location), options);
}

/** Request headers for `url`: the token, when the address is the endpoint's own. */
export function hubHeaders(url: URL, options: HubOptions = {}): Record<string, string> {
  if (options.token === undefined || options.token === "" || url.origin !== endpointUrl(options).origin) return {};
  // Checked here because fetch would quote a malformed token in its error.
  if (!/^[\x21-\x7e]+$/.test(options.token)) {
    throw new ShaderloomError("REQUEST.token", "The hub token has characters that a token cannot have. Copy it again.");
  }
  return { authorization: `Bearer ${options.token}` };
}

function endpointUrl(options: HubOptions): URL {
  const endpoint = options.endpoint ?? defaultEndpoint;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.username !== "" || url.search !== "" || url.hash !== "") {
    throw new ShaderloomError("REQUEST.endpoint", "The hub endpoint is no plain http(s) address. Write it like https://huggingface.co.");
  }
  return url;
}
