// Remote files through the store: downloaded once, read from the store after that, resumed where they stopped, in memory alone where
// there is no store. Without faults; those are in download_faults.test.ts.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type DownloadCase,
  caseBytes,
  caseChunk,
  caseCount,
  counting,
  expectIdle,
  expectRight,
  startCase,
  wholeChunksAsked,
} from "../../testing/download_case.ts";
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

const range = (first: number, end: number): string => `bytes=${first}-${end - 1}`;

const all = Array.from({ length: caseCount }, (_, i) => i);

describe("a first load", () => {
  test("gives every byte, stores every chunk and fetches each once", async () => {
    const diagnostics = counting();
    const source = await here.open(here.visit(), { diagnostics });
    expect(source.local).toBe(false);
    expect(source.stored?.complete()).toBe(false);
    await expectRight(source, here.content);
    await source.finish?.();
    expect(source.stored?.complete()).toBe(true);
    expect(source.stored?.verified()).toBe(false);
    expect(source.stored?.storedBytes()).toBe(caseBytes);
    expect(source.stored?.warning()).toBeUndefined();
    expect(diagnostics).toMatchObject({ networkBytes: caseBytes, retries: 0, damagedChunks: 0, storeFailures: 0 });
    await here.leave(source);
    const [model] = await here.visit().list();
    expect(model).toMatchObject({ name: "model.gguf", complete: true, location: here.address, bytes: caseBytes });
  });

  test("a second load asks the server nothing, also when the server is gone", async () => {
    const first = await here.open(here.visit());
    await first.finish?.();
    await here.leave(first);
    await here.server[Symbol.asyncDispose]();
    const diagnostics = counting();
    const source = await here.open(here.visit(), { diagnostics });
    expect(source.local).toBe(true);
    await expectRight(source, here.content);
    await source.finish?.();
    expect(diagnostics.networkBytes).toBe(0);
    expect(diagnostics.storedBytes).toBeGreaterThanOrEqual(caseBytes);
    await here.leave(source);
  });

  test("reads go into the reader's own memory, whole chunks and parts alike", async () => {
    const source = await here.open(here.visit());
    const into = new Uint8Array(3 * caseChunk);
    for (const [offset, length] of [
      [0, caseChunk],
      [caseChunk + 5, 2 * caseChunk],
      [caseBytes - 9, 9],
      [5, 0],
    ] as const) {
      const bytes = await source.read(offset, length, { into });
      if (offset > 0 && length > 0) expect(bytes.buffer).toBe(into.buffer);
      expect(Buffer.compare(bytes, here.content.subarray(offset, offset + length))).toBe(0);
    }
    expect(await errorCode(source.read(caseBytes, 1))).toBe("SOURCE.range");
    await here.leave(source);
    expect(await errorCode(source.read(0, 1))).toBe("SOURCE.closed");
    expect(await errorCode(source.finish?.() ?? Promise.resolve())).toBe("SOURCE.closed");
  });

  test("what is expected comes first, in its order, several chunks to a request, and the rest last", async () => {
    const pool = new DownloadPool({ chunkBytes: caseChunk, requests: 1 });
    const source = await here.open(here.visit(), { shared: { pool } });
    source.expect?.([6, 7, 2, 0].map((index) => ({ offset: index * caseChunk + 7, length: 100 })));
    await source.finish?.();
    const starts = here.server.requests.slice(1).map((request) => request.range);
    expect(starts).toEqual([range(6 * caseChunk, caseBytes), range(2 * caseChunk, 6 * caseChunk), range(caseChunk, 2 * caseChunk)]);
    await here.leave(source);
  });

  test("never more requests at a time, nor buffers, than the pool allows", async () => {
    let most = 0;
    let now = 0;
    const slow: typeof fetch = async (input, init) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 3));
      const response = await fetch(input, init);
      now--;
      return response;
    };
    const source = await here.open(here.visit(), { fetch: slow });
    source.expect?.(all.map((index) => ({ offset: index * caseChunk, length: 1 })));
    await expectRight(source, here.content);
    await source.finish?.();
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(6);
    await here.leave(source);
  });

  test("files of any length, also none", async () => {
    for (const bytes of [0, 1, caseChunk - 1, caseChunk, caseChunk + 1, 4 * caseChunk]) {
      await using other = await startCase(bytes);
      if (bytes === 0) other.server.ranges = false;
      const source = await other.open(other.visit());
      await expectRight(source, other.content);
      await source.finish?.();
      expect(source.stored?.complete(), `${bytes} bytes`).toBe(true);
      await other.leave(source);
      const again = await other.open(other.visit());
      expect(again.local).toBe(true);
      await expectRight(again, other.content);
      await other.leave(again);
    }
  });
});

describe("a load that was interrupted", () => {
  test.each(all.slice(0, -1))("row 45: after chunk %i no complete chunk is fetched again", async (last) => {
    const first = await here.open(here.visit(), { shared: { pool: new DownloadPool({ chunkBytes: caseChunk, requests: 1 }) } });
    for (let index = 0; index <= last; index++) await first.read(index * caseChunk, caseChunk);
    await expect.poll(() => first.stored?.storedBytes()).toBe((last + 1) * caseChunk);
    await here.leave(first);
    here.server.requests.length = 0;
    const diagnostics = counting();
    const source = await here.open(here.visit(), { diagnostics });
    expect(source.stored?.storedBytes()).toBe((last + 1) * caseChunk);
    await expectRight(source, here.content);
    await source.finish?.();
    expect(source.stored?.complete()).toBe(true);
    expect(wholeChunksAsked(here.server.requests).slice(0, last + 1)).toEqual(all.slice(0, last + 1).map(() => 0));
    expect(diagnostics.networkBytes).toBe(caseBytes - (last + 1) * caseChunk);
    await here.leave(source);
  });

  test("with holes: only the holes are fetched", async () => {
    const first = await here.open(here.visit());
    for (const index of [8, 0, 4, 3]) await first.read(index * caseChunk, 10);
    await expect.poll(() => first.stored?.storedBytes()).toBe(4 * caseChunk);
    await here.leave(first);
    const diagnostics = counting();
    const source = await here.open(here.visit(), { diagnostics });
    await source.finish?.();
    expect(diagnostics.networkBytes).toBe(caseBytes - 4 * caseChunk);
    await expectRight(source, here.content);
    await here.leave(source);
  });

  test("all there but the last word: completed without a request", async () => {
    const first = await here.open(here.visit());
    await expectRight(first, here.content);
    await expect.poll(() => first.stored?.storedBytes()).toBe(caseBytes);
    await here.leave(first);
    await here.server[Symbol.asyncDispose]();
    const source = await here.open(here.visit());
    await source.finish?.();
    expect(source.stored?.complete()).toBe(true);
    await here.leave(source);
  });

  test("aborting the opening, a read and finish, at any point, leaves nothing held and nothing wrong", async () => {
    for (let ms = 0; ms < 12; ms++) {
      const signal = AbortSignal.timeout(ms);
      try {
        const source = await here.open(here.visit(), { signal });
        source.expect?.([{ offset: 0, length: caseBytes }]);
        const reading = source.read(3 * caseChunk, 4 * caseChunk, { signal }).catch(() => undefined);
        await source.finish?.(signal).catch(() => undefined);
        source.close?.();
        await reading;
      } catch (thrown) {
        expect((thrown as Error).name).toBe("AbortError");
      }
      await expectIdle(here.locks);
    }
    const source = await here.open(here.visit());
    await expectRight(source, here.content);
    await source.finish?.();
    await here.leave(source);
  });
});

describe("refresh", () => {
  test("the same version is read from the store after one small request", async () => {
    const first = await here.open(here.visit());
    await first.finish?.();
    await here.leave(first);
    const diagnostics = counting();
    const models = here.visit();
    const source = await here.open(models, { diagnostics, store: { models, mode: "refresh" } });
    expect(source.local).toBe(true);
    expect(diagnostics.networkBytes).toBeLessThanOrEqual(1);
    await expectRight(source, here.content);
    await source.finish?.();
    await here.leave(source);
  });

  test.each(["etag", "length", "bytes alone"])(
    "row 39: another version, told by its %s, is stored beside the old, which goes last",
    async (how) => {
      if (how === "bytes alone") here.server.etag = "";
      const first = await here.open(here.visit());
      await first.finish?.();
      await here.leave(first);
      const old = here.content;
      const young = old.slice(0, how === "length" ? caseBytes - 100 : caseBytes);
      // A version that nothing but its bytes tells apart has to differ where it is looked at.
      for (let i = 0; i < young.length; i += 1000) young[i] ^= 255;
      here.server.content = young;
      if (how === "etag") here.server.etag = '"2"';
      const models = here.visit();
      const source = await here.open(models, { store: { models, mode: "refresh" } });
      expect(source.local).toBe(false);
      await source.read(0, 10);
      // Until the new one is whole the old one is what a plain load finds.
      const plain = await here.open(here.visit());
      await expectRight(plain, old);
      plain.close?.();
      await expectRight(source, young);
      await source.finish?.();
      expect(await here.visit().list()).toHaveLength(1);
      await here.leave(source);
      const again = await here.open(here.visit());
      expect(again.local).toBe(true);
      await expectRight(again, young);
      await here.leave(again);
    },
  );
});

describe("without a store", () => {
  test("a file larger than the window, in the expected order, each byte once", async () => {
    await using large = await startCase(40 * caseChunk + 5);
    const diagnostics = counting();
    const source = await large.open(undefined, { diagnostics });
    expect(source.stored).toBeUndefined();
    const order = Array.from({ length: 41 }, (_, i) => (i * 7) % 41);
    const length = (index: number): number => Math.min(caseChunk, large.content.length - index * caseChunk);
    source.expect?.(order.map((index) => ({ offset: index * caseChunk, length: length(index) })));
    for (const index of order) {
      // Slowly, so that what is fetched ahead fills all the room there is.
      await new Promise((resolve) => setTimeout(resolve, 3));
      const bytes = await source.read(index * caseChunk, length(index));
      expect(Buffer.compare(bytes, large.content.subarray(index * caseChunk, index * caseChunk + length(index)))).toBe(0);
    }
    expect(diagnostics.networkBytes).toBe(large.content.length);
    await source.finish?.();
    expect(diagnostics.networkBytes).toBe(large.content.length);
    source.close?.();
  });

  test("reads that share chunks, in any order, are right", async () => {
    const source = await here.open(undefined);
    await expectRight(source, here.content, 7001);
    await expectRight(source, here.content, caseChunk);
    source.close?.();
  });

  test("a read far larger than all buffers", async () => {
    await using large = await startCase(40 * caseChunk + 5);
    const source = await large.open(undefined);
    expect(Buffer.compare(await source.read(1, large.content.length - 1), large.content.subarray(1))).toBe(0);
    source.close?.();
  });
});
