// Counts from outside what a download cost and what it left behind: the invariants of the campaign, each as one assertion.

import type { Served } from "./file_server.ts";
import type { InspectedFile } from "./protocol.ts";
import { type Scene, type Tab, chunkBytes, expect, sha256 } from "./scene.ts";

/** A file that is served and how it has to look in the store. */
export interface Subject {
  readonly url: string;
  readonly content: Buffer;
}

export function chunkCount(content: Buffer): number {
  return Math.ceil(content.length / chunkBytes);
}

export function chunkOf(content: Buffer, index: number): Buffer {
  return content.subarray(index * chunkBytes, (index + 1) * chunkBytes);
}

/** Requests of one address since a moment of the log. */
export function requestsOf(scene: Scene, url: string, since = 0): Served[] {
  const { pathname } = new URL(url);
  return scene.site.log.slice(since).filter(({ path, method }) => path === pathname && method === "GET");
}

export function bytesSent(requests: readonly Served[]): number {
  return requests.reduce((sum, { sent }) => sum + sent, 0);
}

/** Of the given chunks, how many bytes the server sent again. */
export function bytesWithin(requests: readonly Served[], chunks: Iterable<number>): number {
  let bytes = 0;
  for (const index of chunks) {
    for (const { start, sent } of requests) {
      bytes += Math.max(0, Math.min(start + sent, (index + 1) * chunkBytes) - Math.max(start, index * chunkBytes));
    }
  }
  return bytes;
}

/** What the server sent so many milliseconds ago may still have been on its way, through sockets and pipes on a busy machine. */
const onTheWayMs = 500;

export interface Death {
  readonly tab: Tab;
  readonly url: string;
  /** Chunks that were stored. */
  readonly complete: readonly number[];
  /** Milliseconds of `performance.now`. */
  readonly at: number;
}

/**
 * What invariant (e) allows beyond the file's own bytes when a tab dies: one chunk of each request that was cut or had only just been
 * sent, and the chunks that had arrived and were just being stored.
 */
export function allowance(requests: readonly Served[], { tab, url, complete, at }: Death): number {
  const cut = requests.filter(({ endedAt }) => endedAt === undefined || endedAt > at - onTheWayMs).length;
  const arrived = tab.reports.filter((report) => report.what === "putting" && report.url === url && !complete.includes(report.index));
  return (cut + arrived.length) * chunkBytes;
}

/**
 * Invariant (a): whatever is recorded is there and right, by the file's own bytes and not only by the record's hash.
 *
 * @param mayBeGone whether a record may be left of bytes that are not there at all: the next look finds that out
 * @returns the complete chunks of the file, in order; none when the store does not know it
 */
export function completeChunks(files: readonly InspectedFile[], { url, content }: Subject, mayBeGone = false): number[] {
  const found = files.find((one) => one.url === url);
  if (found === undefined) return [];
  const file = { ...found, chunks: found.chunks.filter(({ gone }) => !(gone && mayBeGone)) };
  expect(file.bytes, `${url}: length in the manifest`).toBe(content.length);
  const wrong = file.chunks.filter(({ index, right, sha256: recorded }) => !right || recorded !== sha256(chunkOf(content, index)));
  expect(wrong, `${url}: recorded chunks whose bytes are wrong`).toEqual([]);
  const indices = file.chunks.map(({ index }) => index).toSorted((a, b) => a - b);
  if (file.state === "complete")
    expect(indices, `${url}: chunks of a complete file`).toEqual(Array.from({ length: chunkCount(content) }, (_, at) => at));
  return indices;
}

/** Invariant (g): another model in the store is whole. */
export function expectWhole(files: readonly InspectedFile[], subject: Subject): void {
  const complete = completeChunks(files, subject);
  expect(complete.length, `${subject.url}: chunks of the model beside it`).toBe(chunkCount(subject.content));
}
