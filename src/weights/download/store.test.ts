// Downloads into a store that refuses or breaks: rows 47 and 53 of the fault matrix, as far as they need no browser.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ShaderloomError } from "../../base/errors.ts";
import type { StorageSpace } from "../../store/model_store.ts";
import {
  type DownloadCase,
  caseBytes,
  caseChunk,
  caseCount,
  counting,
  expectHonestStore,
  expectIdle,
  expectRight,
  loadAll,
  startCase,
} from "../../testing/download_case.ts";
import { type StorePlan, faultyStore } from "../../testing/faulty_store.ts";
import { errorCode, typedError } from "../../testing/typed_error.ts";

let here: DownloadCase;

beforeEach(async () => {
  here = await startCase();
});

afterEach(async () => {
  await expectIdle(here.locks);
  await here[Symbol.asyncDispose]();
});

const full = new ShaderloomError("QUOTA.full", "The store is full. Delete something.");
const broken = new ShaderloomError("STORE.lost", "The store is gone. Load again.");

/** Browsers take their time to count. */
async function slowSpace(): Promise<StorageSpace> {
  await new Promise((resolve) => setTimeout(resolve, 30));
  return { usedBytes: 1, availableBytes: 77, persisted: false };
}

/** Fails every put of a chunk from the n-th on, n from 1. */
function failPuts(from: number, error: Error): StorePlan {
  let puts = 0;
  return ({ call }) => (call === "put" && ++puts >= from ? { kind: "fail", error } : undefined);
}

describe("row 47: a store that is full", () => {
  test.each(Array.from({ length: caseCount }, (_, i) => i + 1))(
    "at chunk %i: the load goes on from memory, what is stored stays",
    async (nth) => {
      const diagnostics = counting();
      const store = here.visit({}, faultyStore(here.halves, failPuts(nth, full)));
      const source = await here.open(store, { diagnostics });
      source.expect?.([{ offset: 0, length: caseBytes }]);
      await expectRight(source, here.content);
      await source.finish?.();
      expect(source.stored?.complete()).toBe(false);
      expect(source.stored?.warning()).toMatchObject({ code: "QUOTA.full", detail: { available: null } });
      expect(diagnostics.quotaRefusals).toBeGreaterThan(0);
      await here.leave(source);
      expect(await expectHonestStore(here)).toBe(nth - 1);
      // With room again, only what is missing is fetched.
      const later = counting();
      await loadAll(here, { diagnostics: later });
      expect(later.networkBytes).toBe(caseBytes - (source.stored?.storedBytes() ?? 0));
    },
  );

  test("onFull: error fails the load with what is needed, and keeps what is stored", async () => {
    const models = here.visit(
      { space: async () => ({ usedBytes: 1, availableBytes: 77, persisted: false }) },
      faultyStore(here.halves, failPuts(4, full)),
    );
    const source = await here.open(models, { store: { models, onFull: "error" } });
    const error = await typedError(source.finish?.() ?? Promise.resolve());
    expect(error).toMatchObject({ code: "QUOTA.full", retryable: true, detail: { available: 77 } });
    expect(error.detail["needed"]).toBeGreaterThan(0);
    await here.leave(source);
    expect(await expectHonestStore(here)).toBe(3);
  });

  test("onFull: error fails a load whose reader had all bytes when the refusal came", async () => {
    const models = here.visit({ space: slowSpace }, faultyStore(here.halves, failPuts(9, full)));
    const source = await here.open(models, { store: { models, onFull: "error" } });
    await expectRight(source, here.content).catch((thrown: unknown) => {
      if (!(thrown instanceof ShaderloomError)) throw thrown;
    });
    expect(await errorCode(source.finish?.() ?? Promise.resolve())).toBe("QUOTA.full");
    await here.leave(source);
  });

  test("evict: true deletes other models, once, and goes on storing", async () => {
    await using other = await startCase(2 * caseChunk, 9);
    const old = await here.open(here.visit());
    await here.leave(old);
    const elsewhere = here.visit();
    const first = await other.open(elsewhere);
    await first.finish?.();
    first.close?.();
    await expectIdle(here.locks);
    let refusals = 0;
    const plan: StorePlan = ({ call }) => (call === "put" && ++refusals === 5 ? { kind: "fail", error: full } : undefined);
    const models = here.visit({}, faultyStore(here.halves, plan));
    const diagnostics = counting();
    const source = await here.open(models, { diagnostics, store: { models, evict: true } });
    await source.finish?.();
    expect(source.stored?.complete()).toBe(true);
    expect(source.stored?.warning()).toBeUndefined();
    expect(diagnostics).toMatchObject({ evictions: 1, quotaRefusals: 1 });
    await here.leave(source);
    expect((await here.visit().list()).map(({ location }) => location)).toEqual([here.address]);
  });

  test("without leave nothing is ever deleted", async () => {
    await using other = await startCase(2 * caseChunk, 9);
    const first = await other.open(here.visit());
    await first.finish?.();
    first.close?.();
    await expectIdle(here.locks);
    const source = await here.open(here.visit({}, faultyStore(here.halves, failPuts(2, full))));
    await expectRight(source, here.content);
    await source.finish?.();
    await here.leave(source);
    expect((await here.visit().list()).find(({ location }) => location === other.address)?.complete).toBe(true);
  });
});

describe("row 53: a store that breaks", () => {
  test.each(["put", "read", "set", "keys", "get", "getMany", "files"] as const)(
    "every %s fails, from the n-th on: the load goes on",
    async (call) => {
      await loadAll(here);
      for (const [partial, from] of [
        [false, 1],
        [false, 3],
        [true, 1],
        [true, 4],
      ] as const) {
        await using other = await startCase();
        if (partial) {
          const begun = await other.open(other.visit());
          await begun.read(0, 4 * caseChunk);
          await other.leave(begun);
        }
        let calls = 0;
        const plan: StorePlan = (step) => (step.call === call && ++calls >= from ? { kind: "fail", error: broken } : undefined);
        const diagnostics = counting();
        const source = await other.open(other.visit({}, faultyStore(other.halves, plan)), { diagnostics });
        source.expect?.([{ offset: 0, length: caseBytes }]);
        await expectRight(source, other.content);
        await source.finish?.();
        const warned = (source.stored?.warning() ?? source.unstored) !== undefined;
        expect(warned, `${call} from ${from}`).toBe(source.stored?.complete() !== true);
        expect(diagnostics.storeFailures > 0).toBe(warned);
        await other.leave(source);
        await expectHonestStore(other);
      }
    },
  );
});
