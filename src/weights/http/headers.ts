// What the headers of an answer say of a file, read strictly: anything malformed counts as absent.

import { webPage } from "./errors.ts";

/** What a server says that tells one version of a file from the next; all of it may be hidden by CORS. */
export interface ServerFacts {
  readonly commit?: string | undefined;
  readonly sha256?: string | undefined;
  readonly etag?: string | undefined;
  readonly modified?: string | undefined;
}

export function refuseWebPage(name: string, response: Response, head: Uint8Array): void {
  const type = response.headers.get("content-type") ?? "";
  const start = new TextDecoder().decode(head.subarray(0, 64)).trimStart();
  if (type.startsWith("text/html") && start.startsWith("<")) throw webPage(name);
}

export function factsOf({ headers }: Response): ServerFacts {
  const linked = /^(?:W\/)?"?([0-9a-f]{64})"?$/.exec(headers.get("x-linked-etag") ?? "");
  const commit = /^[0-9a-f]{40}$/.exec(headers.get("x-repo-commit") ?? "");
  return {
    commit: commit?.[0],
    sha256: linked?.[1],
    etag: headers.get("etag") ?? undefined,
    modified: headers.get("last-modified") ?? undefined,
  };
}

/** What tells one version of the file from the next, as far as the server (and CORS) lets us see it. */
export function validatorOf(response: Response): string | null {
  return response.headers.get("etag") ?? response.headers.get("last-modified");
}

/** `bytes 0-99/1234`; undefined when absent, unreadable, or without a total. */
export function parseContentRange(header: string | null): { start: number; end: number; total: number } | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(header?.trim() ?? "");
  if (match === null) return undefined;
  const [start, end, total] = match.slice(1).map(Number);
  return start <= end && end < total ? { start, end, total } : undefined;
}

/** Content-Length, when it counts the bytes that we see: under a Content-Encoding it counts the compressed ones. */
export function contentLength(response: Response): number | undefined {
  const header = response.headers.get("content-length");
  const encoding = response.headers.get("content-encoding") ?? "identity";
  return header !== null && /^\d{1,15}$/.test(header) && encoding === "identity" ? Number(header) : undefined;
}
