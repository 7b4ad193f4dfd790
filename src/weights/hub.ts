// Addresses of files in a model hub: `hf:owner/repo/path/file.gguf@revision` to a URL, and which requests may carry the token.

import { ShaderloomError } from "../base/errors.ts";

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

/** @throws {ShaderloomError} SOURCE.location when the path has not the form owner/repo/path[@revision] */
export function resolveHubPath(location: string, options: HubOptions = {}): URL {
  const rest = location.slice(scheme.length);
  const at = rest.lastIndexOf("@");
  const revision = at < 0 ? "main" : rest.slice(at + 1);
  const segments = (at < 0 ? rest : rest.slice(0, at)).split("/");
  if (segments.length < 3 || revision === "" || [...segments, revision].some((part) => part === "" || part === "." || part === "..")) {
    const message = `${JSON.stringify(location)} is no hub path. Write it as hf:owner/repo/file.gguf, with @revision at the end if needed.`;
    throw new ShaderloomError("SOURCE.location", message);
  }
  const [owner, repo, ...path] = segments.map(encodeURIComponent);
  return new URL(
    `${endpointUrl(options).href.replace(/\/+$/, "")}/${owner}/${repo}/resolve/${encodeURIComponent(revision)}/${path.join("/")}`,
  );
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
