import { expect, test } from "vitest";
import { openSmallStore } from "../testing/small_store.ts";
import { errorCode } from "../testing/typed_error.ts";
import { openNews, readNews } from "./download_news.ts";
import { openLocks } from "./locks.ts";
import { memoryStore } from "./memory.ts";
import type { DownloadNews, Hold } from "./model_store.ts";
import { createProcessLocks, processLocks } from "./process_locks.ts";

/** Whether a promise is settled by now. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  void promise.finally(() => (over = true)).catch(() => undefined);
  await pause();
  return over;
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
}

test("an exclusive lock is one's alone, a shared one everybody's, and waiting is in order", async () => {
  const locks = openLocks("t", createProcessLocks());
  const readers = await Promise.all([locks.acquire("a", "shared"), locks.acquire("a", "shared")]);
  const order: string[] = [];
  const take = async (name: string, mode: "shared" | "exclusive"): Promise<Hold> => {
    const hold = await locks.acquire("a", mode);
    order.push(name);
    return hold;
  };
  const writer = take("writer", "exclusive");
  const late = take("late", "shared");
  const other = await locks.acquire("b", "exclusive");
  expect(await settled(writer)).toBe(false);
  for (const reader of readers) reader.release();
  (await writer).release();
  (await late).release();
  other.release();
  expect(order).toEqual(["writer", "late"]);
  await pause();
  expect(await locks.held("")).toEqual([]);
});

test("trying does not wait, neither for holders nor past those who wait", async () => {
  const locks = openLocks("t", createProcessLocks());
  const reader = await locks.acquire("a", "shared");
  expect(await locks.tryAcquire("a", "exclusive")).toBeUndefined();
  (await locks.tryAcquire("a", "shared"))?.release();
  const writer = locks.acquire("a", "exclusive");
  expect(await locks.tryAcquire("a", "shared")).toBeUndefined();
  reader.release();
  expect(await locks.held("")).toEqual(["a"]);
  (await writer).release();
  await pause();
  const now = await locks.tryAcquire("a", "exclusive");
  expect(now).toBeDefined();
  now?.release();
  now?.release();
});

test("waiting ends with its signal, and lets those behind through", async () => {
  const locks = openLocks("t", createProcessLocks());
  const reader = await locks.acquire("a", "shared");
  const stop = new AbortController();
  const writer = errorCode(locks.acquire("a", "exclusive", stop.signal));
  const behind = locks.acquire("a", "shared");
  expect(await settled(behind)).toBe(false);
  stop.abort();
  expect(await writer).toBe("AbortError");
  (await behind).release();
  reader.release();
  expect(await errorCode(locks.acquire("a", "exclusive", stop.signal))).toBe("AbortError");
  const after = new AbortController();
  const held = await locks.acquire("a", "exclusive", after.signal);
  after.abort();
  expect(await locks.tryAcquire("a", "shared")).toBeUndefined();
  held.release();
});

test("all stores of a process share one table, scopes keep theirs apart", async () => {
  const [mine, same, apart] = ["x", "x", "y"].map((scope) => openLocks(scope, processLocks()));
  const hold = await mine?.acquire("a", "exclusive");
  expect(await same?.tryAcquire("a", "exclusive")).toBeUndefined();
  expect(await same?.held("")).toEqual(["a"]);
  const other = await apart?.tryAcquire("a", "exclusive");
  expect(other).toBeDefined();
  other?.release();
  hold?.release();
});

test("row 54: the second waits for the first, hears how far it is, and then goes on", async () => {
  const requests = createProcessLocks();
  const [one, two] = [0, 1].map(() =>
    openSmallStore(memoryStore(), { locks: openLocks("t", requests), news: openNews("shaderloom test two tabs") }),
  );
  if (one === undefined || two === undefined) throw new Error("two tabs");
  const hold = await one.lockDownload("https://host.test/a", {});
  const heard: DownloadNews[] = [];
  const waiting = two.lockDownload("https://host.test/a", { onNews: (news) => heard.push(news) });
  // The same store may load a model twice, and hears itself then.
  const also = one.lockDownload("https://host.test/a", { onNews: (news) => heard.push(news) });
  expect(await settled(waiting)).toBe(false);
  one.announce("https://host.test/a", { loaded: 1, total: 2, bytesPerSecond: 3 });
  one.announce("https://host.test/b", { loaded: 2, total: 2, bytesPerSecond: 3 });
  await expect.poll(() => heard.length).toBe(2);
  expect(heard[0]).toEqual({ loaded: 1, total: 2, bytesPerSecond: 3 });
  hold.release();
  (await waiting).release();
  (await also).release();
  one.announce("https://host.test/a", { loaded: 2, total: 2, bytesPerSecond: 3 });
  await pause();
  expect(heard.length).toBe(2);
  one.close();
  two.close();
});

test("what comes over the channel is checked", () => {
  const good = { kind: "download", url: "u", loaded: 1, total: 2, bytesPerSecond: 0 };
  expect(readNews(good, "u")).toEqual({ loaded: 1, total: 2, bytesPerSecond: 0 });
  const bad: unknown[] = [null, 5, "text", [], {}, { ...good, kind: "other" }, { ...good, url: "v" }, { ...good, loaded: 3 }];
  for (const amount of [-1, NaN, Infinity, "1", null, undefined])
    bad.push({ ...good, loaded: amount }, { ...good, bytesPerSecond: amount });
  for (const message of bad) expect(readNews(message, "u"), JSON.stringify(message)).toBeUndefined();
});
