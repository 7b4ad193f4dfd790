// Models opened by their id in the store, imports, remembered files, looks at a header that leave no trace, and hashes of local files.

import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type DownloadCase,
  caseBytes,
  caseChunk,
  counting,
  expectIdle,
  expectRight,
  loadAll,
  startCase,
} from "../../testing/download_case.ts";
import { errorCode, typedError } from "../../testing/typed_error.ts";
import { DownloadPool } from "./pool.ts";
import { type OpenSourceOptions, openSource } from "../source.ts";

let here: DownloadCase;

beforeEach(async () => {
  here = await startCase();
});

afterEach(async () => {
  await expectIdle(here.locks);
  await here[Symbol.asyncDispose]();
});

function options(more: Partial<OpenSourceOptions> = {}): OpenSourceOptions {
  return {
    store: { models: here.visit() },
    shared: { pool: new DownloadPool({ chunkBytes: caseChunk }) },
    backOffMs: 1,
    retries: 1,
    ...more,
  };
}

/** One bit of a stored chunk. */
async function flip(index: number): Promise<void> {
  const [file = ""] = await here.halves.chunks.files();
  const length = Math.min(caseChunk, caseBytes - index * caseChunk);
  const bytes = await here.halves.chunks.read(file, index, length);
  if (bytes === undefined) throw new Error("stored");
  bytes[0] ^= 1;
  await here.halves.chunks.put(file, index, bytes);
}

describe("stored:", () => {
  test("a downloaded model, without its server; a damaged chunk is mended with it", async () => {
    await loadAll(here);
    const [model] = await here.visit().list();
    here.server.requests.length = 0;
    const source = await openSource(`stored:${model?.id}`, options());
    expect(source.local).toBe(true);
    await expectRight(source, here.content);
    await source.finish?.();
    await here.leave(source);
    expect(here.server.requests).toEqual([]);
    await flip(2);
    const diagnostics = counting();
    const again = await openSource(`stored:${model?.id}`, options({ diagnostics }));
    await expectRight(again, here.content);
    await again.finish?.();
    expect(diagnostics.networkBytes).toBe(caseChunk);
    await here.leave(again);
  });

  test("an imported file, read only; damage is named", async () => {
    const models = here.visit();
    const model = await models.importFile(new File([here.content], "mine.gguf"));
    const source = await openSource(`stored:${model.id}`, options());
    expect(source).toMatchObject({ name: "mine.gguf", size: caseBytes, local: true });
    expect(source.stored?.complete()).toBe(true);
    await expectRight(source, here.content);
    const into = new Uint8Array(2 * caseChunk);
    expect(Buffer.compare(await source.read(caseChunk, 2 * caseChunk, { into }), here.content.subarray(caseChunk, 3 * caseChunk))).toBe(0);
    await here.leave(source);
    expect(await errorCode(source.read(0, 1))).toBe("SOURCE.closed");
    await flip(4);
    const damaged = await openSource(`stored:${model.id}`, options());
    const error = await typedError(damaged.read(0, caseBytes));
    expect(error).toMatchObject({ code: "INTEGRITY.chunk", detail: { chunk: 4 } });
    await here.leave(damaged);
    expect(await errorCode(openSource(`stored:${model.id}`, options()))).toBe("STORE.partial");
    await models.importFile(new File([here.content], "mine.gguf", { lastModified: 1 }));
  });

  test("what is not stored, and no store", async () => {
    expect(await errorCode(openSource(`stored:${"0".repeat(32)}`, options()))).toMatch(/^(?:SOURCE|STORE)\.missing$/);
    expect(await errorCode(openSource(`stored:${"0".repeat(32)}`))).toBe("STORE.unavailable");
    const model = await here.visit().importFile(new File([here.content], "mine.gguf"));
    expect(await errorCode(openSource(`stored:${model.id}`, options({ file: 1 })))).toBe("SOURCE.missing");
  });
});

describe("a look at the header", () => {
  test("of a file that is not stored: plain requests, and nothing is written", async () => {
    const diagnostics = counting();
    const source = await openSource(here.address, options({ peek: true, diagnostics }));
    expect(source.stored).toBeUndefined();
    expect(Buffer.compare(await source.read(0, 1000), here.content.subarray(0, 1000))).toBe(0);
    source.close?.();
    expect(diagnostics.networkBytes).toBe(caseBytes);
    expect(await here.visit().list()).toEqual([]);
  });

  test("of a partial one while another tab downloads: what is stored is read, the rest fetched and not stored", async () => {
    const first = await here.open(here.visit());
    await first.read(0, 2 * caseChunk);
    await expect.poll(() => first.stored?.storedBytes()).toBe(2 * caseChunk);
    const diagnostics = counting();
    const source = await openSource(here.address, options({ peek: true, diagnostics }));
    expect(source.stored?.storedBytes()).toBe(2 * caseChunk);
    expect(source.stored?.complete()).toBe(false);
    await source.read(100, 1000);
    expect(diagnostics.networkBytes).toBe(0);
    expect(Buffer.compare(await source.read(caseChunk, 2 * caseChunk), here.content.subarray(caseChunk, 3 * caseChunk))).toBe(0);
    expect(source.stored?.storedBytes()).toBe(2 * caseChunk);
    source.close?.();
    await here.leave(first);
  });

  test("of a complete one: no request", async () => {
    await loadAll(here);
    here.server.requests.length = 0;
    const source = await openSource(here.address, options({ peek: true }));
    expect(source.local).toBe(true);
    expect(source.stored?.storedBytes()).toBe(caseBytes);
    await source.read(0, 1000);
    source.close?.();
    expect(here.server.requests).toEqual([]);
  });
});

test("addresses that differ in what their query asks for are different files, and signatures make no difference", async () => {
  const models = here.visit();
  const load = async (query: string): Promise<boolean> => {
    const source = await openSource(`${here.address}${query}`, options({ store: { models } }));
    await source.finish?.();
    await here.leave(source);
    return source.local === true;
  };
  expect(await load("?id=1&X-Amz-Signature=a&Expires=1")).toBe(false);
  expect(await load("?Expires=2&X-Amz-Signature=b&id=1")).toBe(true);
  expect(await load("?id=2")).toBe(false);
  expect(await load("")).toBe(false);
  expect(await load("#part")).toBe(true);
  const list = JSON.stringify(await models.list());
  for (const secret of ["Signature", "Expires", "id=1"]) expect(list).not.toContain(secret);
});

test("a promised hash of bytes, blobs and files without a store is checked by finish", async () => {
  const sha256 = createHash("sha256").update(here.content).digest("hex");
  for (const location of [here.content, here.content.buffer, new Blob([here.content]), new File([here.content], "m.gguf")]) {
    const right = await openSource(location, { sha256 });
    await right.finish?.();
    const wrong = await openSource(location, { sha256: "0".repeat(64) });
    expect(await errorCode(wrong.finish?.() ?? Promise.resolve())).toBe("INTEGRITY.sha256");
  }
});
