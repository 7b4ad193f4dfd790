// Two tabs that load the same file: rows 54 and 55 of the fault matrix, as far as they need no browser.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ShaderloomError } from "../../base/errors.ts";
import { openNews } from "../../store/download_news.ts";
import type { DownloadNews } from "../../store/model_store.ts";
import {
  type DownloadCase,
  caseBytes,
  caseChunk,
  caseCount,
  counting,
  expectIdle,
  expectRight,
  startCase,
} from "../../testing/download_case.ts";
import { type StorePlan, faultyStore } from "../../testing/faulty_store.ts";
import { errorCode } from "../../testing/typed_error.ts";
import { DownloadPool } from "./pool.ts";

let here: DownloadCase;

beforeEach(async () => {
  here = await startCase();
});

afterEach(async () => {
  await expectIdle(here.locks);
  await here[Symbol.asyncDispose]();
});

const full = new ShaderloomError("QUOTA.full", "The store is full. Delete something.");

/** Refuses every chunk from the n-th on, n from 1. */
function fullFrom(nth: number): StorePlan {
  let puts = 0;
  return ({ call }) => (call === "put" && ++puts >= nth ? { kind: "fail", error: full } : undefined);
}

const slow: typeof fetch = async (input, init) => {
  await new Promise((resolve) => setTimeout(resolve, 60));
  return fetch(input, init);
};

describe("row 54: two tabs", () => {
  test("the bytes come once, and the one that waits follows the other", async () => {
    const news: DownloadNews[] = [];
    const tab = (): ReturnType<typeof here.visit> => here.visit({ news: openNews("download-test") });
    const diagnostics = counting();
    const first = await here.open(tab(), {
      diagnostics,
      fetch: slow,
      shared: { pool: new DownloadPool({ chunkBytes: caseChunk, requests: 1 }) },
    });
    const waiting = here.open(tab(), { diagnostics, onNews: (one) => news.push(one) });
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (let index = 0; index < caseCount; index++) await first.read(index * caseChunk, 1);
    await first.finish?.();
    const second = await waiting;
    expect(second.local).toBe(true);
    await expectRight(second, here.content);
    await second.finish?.();
    expect(diagnostics.networkBytes).toBe(caseBytes);
    expect(news.length).toBeGreaterThan(0);
    expect(news.every(({ loaded, total }) => loaded <= total && total === caseBytes)).toBe(true);
    first.close?.();
    await here.leave(second);
  });

  test("row 55: when the first gives up, the waiting one goes on where it stopped", async () => {
    const diagnostics = counting();
    const first = await here.open(here.visit(), { diagnostics });
    await first.read(0, 4 * caseChunk);
    await expect.poll(() => first.stored?.storedBytes()).toBe(4 * caseChunk);
    const waiting = here.open(here.visit(), { diagnostics });
    first.close?.();
    const second = await waiting;
    await second.finish?.();
    expect(diagnostics.networkBytes).toBe(caseBytes);
    await expectRight(second, here.content);
    await here.leave(second);
  });

  test("a waiting load ends with its signal", async () => {
    const first = await here.open(here.visit());
    expect(await errorCode(here.open(here.visit(), { signal: AbortSignal.timeout(20) }))).toBe("AbortError");
    await here.leave(first);
  });

  test("a tab that can no longer store lets the other one download", async () => {
    const first = await here.open(here.visit({}, faultyStore(here.halves, fullFrom(1))));
    await expectRight(first, here.content);
    await first.finish?.();
    const second = await here.open(here.visit());
    await second.finish?.();
    expect(second.stored?.complete()).toBe(true);
    first.close?.();
    await here.leave(second);
  });
});
