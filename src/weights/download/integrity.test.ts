// Stored chunks that are damaged, and files that are not what was promised: rows 39, 44 and 51 of the fault matrix, as far as they need no
// browser.

import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ShaderloomError } from "../../base/errors.ts";
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
import { errorCode } from "../../testing/typed_error.ts";

let here: DownloadCase;

beforeEach(async () => {
  here = await startCase();
});

afterEach(async () => {
  await expectIdle(here.locks);
  await here[Symbol.asyncDispose]();
});

const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const full = new ShaderloomError("QUOTA.full", "The store is full. Delete something.");

/** Refuses every chunk from the n-th on, n from 1. */
function fullFrom(nth: number): StorePlan {
  let puts = 0;
  return ({ call }) => (call === "put" && ++puts >= nth ? { kind: "fail", error: full } : undefined);
}

/** One bit of a stored chunk, behind the back of the store. */
async function flipChunk(index: number): Promise<void> {
  const [file = ""] = await here.halves.chunks.files();
  const length = Math.min(caseChunk, caseBytes - index * caseChunk);
  const bytes = await here.halves.chunks.read(file, index, length);
  if (bytes === undefined) throw new Error("stored");
  bytes[length >> 1] ^= 4;
  await here.halves.chunks.put(file, index, bytes);
}

describe("row 51: stored chunks that are damaged", () => {
  test.each([0, 4, caseCount - 1])("chunk %i alone is fetched again, and the model is whole after it", async (index) => {
    const sha256 = sha256Of(here.content);
    await loadAll(here, { sha256 });
    await flipChunk(index);
    const diagnostics = counting();
    const source = await here.open(here.visit(), { diagnostics });
    await expectRight(source, here.content, 7001);
    await source.finish?.();
    expect(diagnostics.damagedChunks).toBe(1);
    expect(diagnostics.networkBytes).toBe(Math.min(caseChunk, caseBytes - index * caseChunk));
    expect(source.stored?.complete()).toBe(true);
    expect(source.stored?.verified()).toBe(true);
    await here.leave(source);
    const [model] = await here.visit().list();
    expect(model).toMatchObject({ complete: true, verified: true });
  });

  test("all of them at once", async () => {
    await loadAll(here);
    for (let index = 0; index < caseCount; index++) await flipChunk(index);
    const diagnostics = counting();
    const source = await here.open(here.visit(), { diagnostics });
    await expectRight(source, here.content);
    await source.finish?.();
    expect(diagnostics.damagedChunks).toBe(caseCount);
    expect(source.stored?.complete()).toBe(true);
    await here.leave(source);
    await expectHonestStore(here);
  });

  test("offline a damaged chunk is a typed error, and it mends when the network is back", async () => {
    await loadAll(here);
    await flipChunk(3);
    let online = false;
    const flaky: typeof fetch = async (input, init) => {
      if (online) return fetch(input, init);
      throw new TypeError("Failed to fetch");
    };
    const source = await here.open(here.visit(), { fetch: flaky, retries: 1 });
    await source.read(0, 3 * caseChunk);
    expect(await errorCode(source.read(3 * caseChunk, 10))).toBe("NET.unreachable");
    online = true;
    expect(Buffer.compare(await source.read(3 * caseChunk, 10), here.content.subarray(3 * caseChunk, 3 * caseChunk + 10))).toBe(0);
    await source.finish?.();
    expect(source.stored?.complete()).toBe(true);
    await here.leave(source);
  });

  test("row 44: one that comes back different is fetched twice more, then INTEGRITY.chunk, and the mixed copy is gone", async () => {
    await loadAll(here);
    await flipChunk(3);
    here.server.content = here.content.map((byte) => byte ^ 1);
    const diagnostics = counting();
    const source = await here.open(here.visit(), { diagnostics });
    expect(await errorCode(source.read(3 * caseChunk, 10))).toBe("INTEGRITY.chunk");
    expect(diagnostics.refusedChunks).toBe(3);
    await here.leave(source);
    here.server.requests.length = 0;
    const again = await here.open(here.visit());
    await expectRight(again, here.server.content);
    await here.leave(again);
  });

  test("row 44: a wrong byte on the way is seen and the chunk fetched again", async () => {
    await loadAll(here);
    await flipChunk(3);
    here.server.faults.push({ kind: "flip", at: 50 });
    const diagnostics = counting();
    const source = await here.open(here.visit(), { diagnostics });
    await expectRight(source, here.content);
    expect(diagnostics.refusedChunks).toBe(1);
    await source.finish?.();
    await here.leave(source);
  });

  test("row 39: mended only from the version that is stored", async () => {
    await loadAll(here);
    await flipChunk(3);
    here.server.etag = '"2"';
    const source = await here.open(here.visit());
    expect(await errorCode(source.read(3 * caseChunk, 10))).toBe("SOURCE.changed");
    await here.leave(source);
    await loadAll(here);
  });
});

describe("promised hashes", () => {
  test("a download is checked whole, whatever the order of its chunks, and on resume too", async () => {
    const sha256 = sha256Of(here.content);
    const source = await here.open(here.visit(), { sha256 });
    for (const index of [7, 3, 5, 0]) await source.read(index * caseChunk, 10);
    await here.leave(source);
    const again = await here.open(here.visit(), { sha256 });
    await again.finish?.();
    expect(again.stored?.verified()).toBe(true);
    await here.leave(again);
  });

  test("a complete model without a promise is hashed before it is used, and a wrong promise deletes nothing", async () => {
    await loadAll(here);
    const wrong = "0".repeat(64);
    const source = await here.open(here.visit(), { sha256: wrong });
    expect(source.local).toBe(true);
    expect(await errorCode(source.finish?.() ?? Promise.resolve())).toBe("INTEGRITY.sha256");
    await here.leave(source);
    expect(await expectHonestStore(here)).toBe(caseCount);
    const right = await here.open(here.visit(), { sha256: sha256Of(here.content) });
    expect(right.local).toBe(true);
    await right.finish?.();
    expect(right.stored?.verified()).toBe(true);
    await here.leave(right);
  });

  test("a promise other than the stored one is another version, not damage", async () => {
    await loadAll(here, { sha256: sha256Of(here.content) });
    const young = here.content.map((byte) => byte ^ 1);
    here.server.content = young;
    const source = await here.open(here.visit(), { sha256: sha256Of(young) });
    expect(source.local).toBe(false);
    await expectRight(source, young);
    await source.finish?.();
    expect(source.stored?.verified()).toBe(true);
    await here.leave(source);
  });

  test("without a store it is checked all the same, each byte once when read in order", async () => {
    const sha256 = sha256Of(here.content);
    const diagnostics = counting();
    const source = await here.open(undefined, { sha256, diagnostics });
    source.expect?.([{ offset: 0, length: caseBytes }]);
    for (let at = 0; at < caseBytes; at += caseChunk) await source.read(at, Math.min(caseChunk, caseBytes - at));
    await source.finish?.();
    expect(diagnostics.networkBytes).toBe(caseBytes);
    source.close?.();
    const wrong = await here.open(undefined, { sha256: "1".repeat(64) });
    expect(await errorCode(wrong.finish?.() ?? Promise.resolve())).toBe("INTEGRITY.sha256");
    wrong.close?.();
  });

  test("after a refusal of the store the rest is checked all the same", async () => {
    const source = await here.open(here.visit({}, faultyStore(here.halves, fullFrom(3))), { sha256: sha256Of(here.content) });
    await source.finish?.();
    await here.leave(source);
  });
});
