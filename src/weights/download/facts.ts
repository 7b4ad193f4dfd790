// What is known of a version of a file, from whoever says something: a commit, a sha256, an ETag, a date, and always the size. Written into
// the revision under which it is stored, so that a later visit that sees other facts can still tell whether it is the same version.

import type { ServerFacts } from "../http/headers.ts";

export interface FileFacts extends ServerFacts {
  readonly size: number;
}

/** How sure it is that two sets of facts speak of the same bytes. `likely` rests on a date, a weak ETag or the size alone. */
export type Sameness = "same" | "likely" | "different";

const order = ["commit", "sha256", "etag", "modified"] as const;

/** The revision of these facts: one line, the same for the same facts. */
export function revisionOf(facts: FileFacts): string {
  const parts = order.flatMap((key) => (facts[key] === undefined ? [] : [`${key}:${encodeURIComponent(facts[key])}`]));
  return [...parts, `size:${facts.size}`].join(" ");
}

/** The facts of a revision; undefined when it is none of ours. */
export function factsOfRevision(revision: string): FileFacts | undefined {
  const pairs = revision.split(" ").map((part) => {
    const colon = part.indexOf(":");
    return [part.slice(0, colon), unescape(part.slice(colon + 1))] as const;
  });
  const values = new Map(pairs);
  const size = Number(values.get("size") ?? "none");
  if (!Number.isSafeInteger(size) || size < 0) return undefined;
  return { commit: values.get("commit"), sha256: values.get("sha256"), etag: values.get("etag"), modified: values.get("modified"), size };
}

function unescape(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function sameness(a: FileFacts, b: FileFacts): Sameness {
  if (a.size !== b.size) return "different";
  const both = (key: (typeof order)[number]): boolean => a[key] !== undefined && b[key] !== undefined;
  if (both("sha256")) return a.sha256 === b.sha256 ? "same" : "different";
  if (both("commit") && a.commit === b.commit) return "same";
  if (both("etag") && isStrong(a.etag) && isStrong(b.etag)) return a.etag === b.etag ? "same" : "different";
  if (both("commit")) return "different";
  if (both("etag")) return a.etag === b.etag ? "likely" : "different";
  if (both("modified")) return a.modified === b.modified ? "likely" : "different";
  return "likely";
}

/** Whether the facts are such that two versions never share them. */
export function isPinned(facts: ServerFacts): boolean {
  return facts.commit !== undefined || facts.sha256 !== undefined || isStrong(facts.etag);
}

function isStrong(etag: string | undefined): boolean {
  return etag !== undefined && !etag.startsWith("W/");
}
