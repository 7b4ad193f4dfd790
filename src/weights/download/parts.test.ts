// The parts of a download one by one: order of chunks, shared buffers, facts that tell versions apart, addresses, and stalls of requests that
// only wait for their turn.

import { describe, expect, test } from "vitest";
import { ShaderloomError } from "../../base/errors.ts";
import { ChunkWindow } from "./chunk_window.ts";
import { addressKey, fileName, manifestUrl } from "./address.ts";
import { type FileFacts, factsOfRevision, revisionOf, sameness } from "./facts.ts";
import { DownloadPool } from "./pool.ts";
import { DownloadQueue } from "./queue.ts";
import { ChunkReaders } from "./readers.ts";
import { httpContext } from "../http/context.ts";
import { backOff } from "../http/retry.ts";
import { startTransfer } from "../http/transfer.ts";

const make = (buffers: number): DownloadPool => new DownloadPool({ buffers, chunkBytes: 8, requests: 2 });

const late: typeof fetch = async () => {
  await new Promise((resolve) => setTimeout(resolve, 1200));
  return new Response("x");
};

describe("the queue", () => {
  const rules = { missing: () => true, most: 4, rest: true };

  test("what a reader waits for comes first, at most two together, then what is announced, then the rest", () => {
    const queue = new DownloadQueue(12);
    queue.expect([9, 4, 5, 4]);
    queue.want(7);
    queue.want(8);
    queue.want(9);
    expect(queue.urgent(rules.missing)).toBe(true);
    expect(queue.next(rules)).toEqual({ first: 7, count: 2, urgent: true });
    expect(queue.next(rules)).toEqual({ first: 9, count: 1, urgent: true });
    expect(queue.urgent(rules.missing)).toBe(false);
    expect(queue.next(rules)).toEqual({ first: 4, count: 3, urgent: false });
    expect(queue.next(rules)).toEqual({ first: 0, count: 4, urgent: false });
    expect(queue.next(rules)).toEqual({ first: 10, count: 2, urgent: false });
    expect(queue.next(rules)).toBeUndefined();
    for (let i = 0; i < 12; i++) queue.done(i);
    expect(queue.next({ ...rules, missing: (index) => index === 3 })).toBeUndefined();
    queue.restart();
    expect(queue.next({ ...rules, missing: (index) => index === 3 })).toEqual({ first: 3, count: 1, urgent: false });
  });

  test("without a place for the rest only what is announced is fetched, and each read of it is counted", () => {
    const queue = new DownloadQueue(12);
    queue.expect([2, 3, 3, 6]);
    const announced = { missing: () => true, most: 4, rest: false };
    expect(queue.next(announced)).toEqual({ first: 2, count: 2, urgent: false });
    expect(queue.next(announced)).toEqual({ first: 6, count: 1, urgent: false });
    expect(queue.next(announced)).toBeUndefined();
    expect(queue.read(3)).toBe(true);
    expect(queue.read(3)).toBe(false);
    expect(queue.expects(3)).toBe(false);
    queue.want(5);
    queue.want(5);
    queue.unwant(5);
    expect(queue.wanted(5)).toBe(true);
    queue.unwant(5);
    expect(queue.wanted(5)).toBe(false);
  });
});

describe("the pool and its windows", () => {
  test("two buffers are kept for readers, and lent ones are taken back, longest unused first", () => {
    const pool = make(4);
    const window = new ChunkWindow(pool);
    for (const index of [0, 1]) window.add(index, pool.tryTake(false) ?? new Uint8Array(0), 8).letGo();
    expect(pool.available).toBe(4);
    window.pin(0)?.letGo();
    expect([pool.tryTake(false), pool.tryTake(false)].map((buffer) => buffer?.length)).toEqual([8, 8]);
    expect(pool.tryTake(false)).toBeUndefined();
    expect([window.has(0), window.has(1)]).toEqual([true, true]);
    expect(pool.tryTake(true)).toBeDefined();
    expect([window.has(0), window.has(1)]).toEqual([true, false]);
    expect(pool.tryTake(true)).toBeDefined();
    expect(pool.tryTake(true)).toBeUndefined();
  });

  test("pinned and kept chunks stay, a dropped one goes back with its last pin", () => {
    const pool = make(4);
    const window = new ChunkWindow(pool);
    const buffer = pool.tryTake(true) ?? new Uint8Array(0);
    const first = window.add(3, buffer, 5);
    const second = window.pin(3);
    expect(first.bytes).toHaveLength(5);
    window.keep(3, true);
    first.letGo();
    second?.letGo();
    expect(pool.available).toBe(3);
    expect(window.kept()).toEqual([3]);
    const third = window.pin(3);
    window.drop(3);
    expect(window.has(3)).toBe(false);
    expect(pool.available).toBe(3);
    third?.letGo();
    expect(pool.available).toBe(4);
    expect(() => third?.letGo()).toThrow("assertion failed");
    window.add(1, pool.tryTake(true) ?? new Uint8Array(0), 8).letGo();
    window.clear();
    expect(pool.available).toBe(4);
  });

  test("requests: as many as allowed, two more for readers, fewer when a server asks for it", async () => {
    const pool = make(8);
    const buffers = [pool.start(false), pool.start(false)];
    expect([pool.canStart(false), pool.canStart(true)]).toEqual([false, true]);
    buffers.push(pool.start(true), pool.start(true));
    expect(pool.canStart(true)).toBe(false);
    for (const buffer of buffers) pool.give(buffer);
    for (const _ of buffers) pool.endRequest();
    pool.slowDown();
    pool.give(pool.start(false));
    expect(pool.canStart(false)).toBe(false);
    const pumped: string[] = [];
    const client = (name: string, urgent: boolean) => ({ urgent: () => urgent, pump: () => void pumped.push(name) });
    pool.join(client("patient", false));
    pool.join(client("urgent", true));
    pool.endRequest();
    pool.notify();
    await Promise.resolve();
    expect(pumped).toEqual(["urgent", "patient"]);
  });

  test("waiting for a buffer ends with one, with enough, or with the signal", async () => {
    const pool = make(3);
    const buffers = [pool.tryTake(true), pool.tryTake(true), pool.tryTake(true)];
    let enough = false;
    const never = pool.take(
      undefined,
      () => false,
      () => enough,
    );
    const urgent = pool.take(undefined, () => true);
    const stop = new AbortController();
    const aborted = pool.take(stop.signal, () => false);
    stop.abort();
    await expect(aborted).rejects.toMatchObject({ code: "AbortError" });
    pool.give(buffers[0] ?? new Uint8Array(0));
    expect(await urgent).toBe(buffers[0]);
    enough = true;
    pool.notify();
    expect(await never).toBeUndefined();
  });
});

test("readers: progress is told once for each byte, and nobody is served after the wait has ended", async () => {
  const readers = new ChunkReaders();
  const told: number[] = [];
  const into = new Uint8Array(4);
  const wait = readers.wait(1, { from: 2, into, onBytes: (count) => told.push(count) });
  for (const filled of [1, 3, 3, 2, 5, 4]) readers.progress(1, filled);
  readers.serve(1, Uint8Array.of(0, 1, 2, 3, 4, 5, 6));
  await wait;
  expect(told).toEqual([1, 2, 1]);
  expect([...into]).toEqual([2, 3, 4, 5]);
  const stop = new AbortController();
  const aborted = readers.wait(1, { from: 0, into, signal: stop.signal });
  stop.abort();
  await expect(aborted).rejects.toMatchObject({ code: "AbortError" });
  readers.serve(1, Uint8Array.of(9, 9, 9, 9));
  expect([...into]).toEqual([2, 3, 4, 5]);
  const failed = readers.wait(2, { from: 0, into });
  readers.fail(new ShaderloomError("NET.interrupted", "Broken. Try again."));
  await expect(failed).rejects.toMatchObject({ code: "NET.interrupted" });
  expect(readers.waits(2)).toBe(false);
});

describe("facts", () => {
  const [a, b] = ["a".repeat(64), "b".repeat(64)];
  const [one, two] = ["1".repeat(40), "2".repeat(40)];

  test.each<[string, Omit<FileFacts, "size">, Omit<FileFacts, "size">, string]>([
    ["equal sha256 under another commit", { sha256: a, commit: one }, { sha256: a, commit: two }, "same"],
    ["another sha256 under the same ETag", { sha256: a, etag: '"1"' }, { sha256: b, etag: '"1"' }, "different"],
    ["the same commit under another ETag", { commit: one, etag: '"1"' }, { commit: one, etag: '"2"' }, "same"],
    ["another commit, nothing else", { commit: one }, { commit: two }, "different"],
    ["another commit, the same strong ETag", { commit: one, etag: '"1"' }, { commit: two, etag: '"1"' }, "same"],
    ["the same strong ETag", { etag: '"1"' }, { etag: '"1"' }, "same"],
    ["another strong ETag", { etag: '"1"' }, { etag: '"2"' }, "different"],
    ["the same weak ETag", { etag: 'W/"1"' }, { etag: 'W/"1"' }, "likely"],
    ["another weak ETag", { etag: 'W/"1"' }, { etag: 'W/"2"' }, "different"],
    ["the same date", { modified: "x" }, { modified: "x" }, "likely"],
    ["another date", { modified: "x" }, { modified: "y" }, "different"],
    ["a commit seen once, an ETag once", { commit: one }, { etag: '"1"' }, "likely"],
    ["nothing", {}, {}, "likely"],
  ])("%s: %s and %s are %s", (_, first, second, expected) => {
    expect(sameness({ ...first, size: 5 }, { ...second, size: 5 })).toBe(expected);
    expect(sameness({ ...first, size: 5 }, { ...second, size: 6 })).toBe("different");
  });

  test("a revision says them all and gives them back", () => {
    const facts = { commit: one, sha256: a, etag: 'W/"a b:c %"', modified: "Thu, 01 Oct 2026 00:00:00 GMT", size: 7 };
    expect(factsOfRevision(revisionOf(facts))).toEqual(facts);
    expect(factsOfRevision(`${revisionOf(facts)} copy:1`)).toEqual(facts);
    for (const revision of ["", "abc", "size:x", "size:-1", "etag:%E0%A4%A"]) expect(factsOfRevision(revision)).toBeUndefined();
  });
});

describe("addresses", () => {
  test("user, query and fragment are left out, and what tells files apart is hashed", async () => {
    const url = new URL("https://user:pw@host.test/a/m%20x.gguf?b=2&a=1&token=secret#part");
    expect(manifestUrl(url)).toBe("https://host.test/a/m%20x.gguf");
    expect(await addressKey(url)).toMatch(/^https:\/\/host\.test\/a\/m%20x\.gguf\?q=[0-9a-f]{16}$/);
    expect(await addressKey(url)).toBe(await addressKey(new URL("https://host.test/a/m%20x.gguf?a=1&b=2&Signature=x")));
    expect(await addressKey(new URL("https://host.test/m?sig=1&se=2&sp=r"))).toBe("https://host.test/m");
    expect(fileName(url)).toBe("m x.gguf");
    expect(fileName(new URL("https://host.test/evil%E2%80%AE%00%0A%1bfugg.gguf"))).toBe("evilfugg.gguf");
    expect(fileName(new URL("https://host.test/%E0%A4%A"))).toBe("%E0%A4%A");
    expect(fileName(new URL("https://host.test/"))).toBe("host.test");
  });
});

test("a request that waits in the browser's queue has not stalled while bytes come elsewhere", async () => {
  const activity = { at: performance.now() };
  const alive = setInterval(() => {
    activity.at = performance.now();
  }, 5);
  const context = httpContext(new URL("https://host.test/m"), { fetch: late, stallMs: 400, activity });
  const transfer = await startTransfer(context, "bytes=0-0", undefined);
  expect(transfer.response.status).toBe(200);
  clearInterval(alive);
  transfer.cancel();
  const alone = httpContext(new URL("https://host.test/m"), { fetch: late, stallMs: 400 });
  await expect(startTransfer(alone, "bytes=0-0", undefined)).rejects.toMatchObject({ code: "NET.stalled" });
});

test("retries: each failure counts, the last is thrown, and offline ones do not count", async () => {
  const error = new ShaderloomError("NET.interrupted", "Broken. Try again.", { retryable: true });
  const final = new ShaderloomError("SOURCE.missing", "Gone. Check it.");
  let online = true;
  const rules = { retries: 2, backOffMs: 1, offlineMs: 20, online: () => online };
  expect(await backOff(rules, { error, failures: 0, signal: undefined })).toBe(1);
  await expect(backOff(rules, { error, failures: 2, signal: undefined })).rejects.toBe(error);
  await expect(backOff(rules, { error: final, failures: 0, signal: undefined })).rejects.toBe(final);
  online = false;
  await expect(backOff(rules, { error, failures: 0, signal: undefined })).rejects.toBe(error);
  setTimeout(() => {
    online = true;
  }, 5);
  expect(await backOff({ ...rules, offlineMs: 5000 }, { error, failures: 2, signal: undefined })).toBe(2);
});
