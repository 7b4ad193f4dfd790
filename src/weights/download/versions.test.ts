// Rows 39 and 40 of the fault matrix: versions of a file, told apart by whatever the server lets us see; and what CORS hides.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type DownloadCase,
  caseBytes,
  caseChunk,
  caseCount,
  counting,
  expectHonestStore,
  expectIdle,
  expectRight,
  startCase,
  wholeChunksAsked,
} from "../../testing/download_case.ts";
import { errorCode } from "../../testing/typed_error.ts";

let here: DownloadCase;

beforeEach(async () => {
  here = await startCase();
});

afterEach(async () => {
  await expectIdle(here.locks);
  await here[Symbol.asyncDispose]();
});

/** A server whose answers show Content-Length and Last-Modified only, as without Access-Control-Expose-Headers. */
function hiding(wrong = false): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    const shown = new Headers();
    for (const name of ["content-length", "last-modified"]) {
      const value = response.headers.get(name);
      if (value !== null) shown.set(name, value);
    }
    const body = new Uint8Array(await response.arrayBuffer());
    if (wrong) body.set(here.content.subarray(0, body.length));
    return new Response(body, { status: response.status, headers: shown });
  };
}

describe("row 39: another version", () => {
  test("while it is downloaded: never mixed, and the next visit starts anew", async () => {
    const source = await here.open(here.visit());
    await source.read(caseChunk, 5);
    const young = here.content.map((byte) => byte ^ 1);
    here.server.content = young;
    here.server.etag = '"2"';
    expect(await errorCode(source.read(5 * caseChunk, 10))).toBe("SOURCE.changed");
    await here.leave(source);
    const again = await here.open(here.visit());
    await expectRight(again, young);
    await again.finish?.();
    await here.leave(again);
    expect(await here.visit().list()).toHaveLength(1);
    expect(await expectHonestStore(here, young)).toBe(caseCount);
  });

  test.each(["etag", "date", "length", "weak etag", "nothing but bytes"])("between two sessions, told by %s: never mixed", async (told) => {
    if (told !== "etag") here.server.etag = told === "weak etag" ? 'W/"1"' : "";
    if (told === "date") here.server.headers.set("last-modified", "Thu, 01 Oct 2026 00:00:00 GMT");
    const first = await here.open(here.visit());
    await first.read(2 * caseChunk, 3 * caseChunk);
    await expect.poll(() => first.stored?.storedBytes()).toBe(4 * caseChunk);
    await here.leave(first);
    const young = here.content.map((byte) => byte ^ 1).slice(0, told === "length" ? caseBytes - 1 : caseBytes);
    here.server.content = young;
    if (told === "etag") here.server.etag = '"2"';
    if (told === "weak etag") here.server.etag = 'W/"2"';
    if (told === "date") here.server.headers.set("last-modified", "Fri, 02 Oct 2026 00:00:00 GMT");
    const source = await here.open(here.visit());
    await expectRight(source, young);
    await source.finish?.();
    await here.leave(source);
    expect(await here.visit().list()).toHaveLength(1);
    expect(await expectHonestStore(here, young)).toBe(caseCount);
  });

  test("of two partial versions, whichever the server has is gone on with and no stored chunk is asked for", async () => {
    const begin = async (etag: string, chunks: number): Promise<void> => {
      here.server.etag = etag;
      const source = await here.open(here.visit());
      await source.read(0, chunks * caseChunk);
      await expect.poll(() => source.stored?.storedBytes()).toBeGreaterThanOrEqual(chunks * caseChunk);
      await here.leave(source);
    };
    await begin('"1"', 4);
    await begin('"2"', 2);
    here.server.etag = '"1"';
    here.server.requests.length = 0;
    const source = await here.open(here.visit());
    await source.finish?.();
    await here.leave(source);
    expect(wholeChunksAsked(here.server.requests).slice(0, 4)).toEqual([0, 0, 0, 0]);
    expect(source.stored?.complete()).toBe(true);
    await expectHonestStore(here);
  });

  test("the same version under weak labels is gone on with after a look at 64 KiB of it", async () => {
    here.server.etag = 'W/"1"';
    const first = await here.open(here.visit());
    await first.read(2 * caseChunk, 3 * caseChunk);
    await expect.poll(() => first.stored?.storedBytes()).toBe(4 * caseChunk);
    await here.leave(first);
    const diagnostics = counting();
    const source = await here.open(here.visit(), { diagnostics });
    expect(source.stored?.storedBytes()).toBeGreaterThanOrEqual(4 * caseChunk);
    await source.finish?.();
    expect(diagnostics.networkBytes).toBeLessThanOrEqual(caseBytes - 4 * caseChunk + (64 << 10));
    await here.leave(source);
  });
});

describe("row 40: what CORS hides", () => {
  test("the file loads, is stored and resumed", async () => {
    const first = await here.open(here.visit(), { fetch: hiding() });
    await first.read(0, 3 * caseChunk);
    await here.leave(first);
    const source = await here.open(here.visit(), { fetch: hiding() });
    await expectRight(source, here.content);
    await source.finish?.();
    expect(source.stored?.complete()).toBe(true);
    await here.leave(source);
    await expectHonestStore(here);
  });

  test("a server that always sends the first bytes is found out where bytes are known", async () => {
    // The overlap is asked for at another place than the first look.
    expect(await errorCode(here.open(here.visit(), { fetch: hiding(true) }))).toBe("NET.range");
  });
});
