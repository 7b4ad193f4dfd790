// Rows 36, 37, 41 and 43 of the fault matrix where they are about the whole: no connection at all, and servers without byte ranges.

import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type DownloadCase,
  caseChunk,
  caseCount,
  counting,
  expectHonestStore,
  expectIdle,
  expectRight,
  loadAll,
  startCase,
} from "../../testing/download_case.ts";
import type { Fault } from "../../testing/fault_server.ts";
import { errorCode } from "../../testing/typed_error.ts";

let here: DownloadCase;

beforeEach(async () => {
  here = await startCase();
});

afterEach(async () => {
  await expectIdle(here.locks);
  await here[Symbol.asyncDispose]();
});

const after = 10_000;

const dead: typeof fetch = async () => Promise.reject(new TypeError("Failed to fetch"));

describe("what no file can be", () => {
  test.each<[string, Fault, string]>([
    ["longer than can be kept track of", { kind: "range", header: `bytes 0-${caseChunk - 1}/999999999999999` }, "LIMIT.size"],
    ["empty", { kind: "status", status: 416, headers: { "content-range": "bytes */0" } }, "SOURCE.empty"],
  ])("%s", async (_, fault, code) => {
    here.server.faults.push(fault);
    const began = performance.now();
    expect(await errorCode(here.open(here.visit()))).toBe(code);
    expect(performance.now() - began).toBeLessThan(2000);
  });
});

describe("row 41: no connection", () => {
  test("waits for it, and the failures meanwhile do not count", async () => {
    let online = true;
    const flaky: typeof fetch = async (input, init) => {
      if (online) return fetch(input, init);
      throw new TypeError("Failed to fetch");
    };
    const diagnostics = counting();
    const source = await here.open(here.visit(), { fetch: flaky, online: () => online, retries: 0, diagnostics });
    online = false;
    const reading = source.read(3 * caseChunk, 10);
    setTimeout(() => {
      online = true;
    }, 200);
    expect(Buffer.compare(await reading, here.content.subarray(3 * caseChunk, 3 * caseChunk + 10))).toBe(0);
    expect(diagnostics.retries).toBeGreaterThan(0);
    await here.leave(source);
  });

  test("an online event ends the wait at once", async () => {
    let online = false;
    const flaky: typeof fetch = async (input, init) => {
      if (online) return fetch(input, init);
      throw new TypeError("Failed to fetch");
    };
    const scope = new EventTarget();
    Object.assign(globalThis, {
      addEventListener: scope.addEventListener.bind(scope),
      removeEventListener: scope.removeEventListener.bind(scope),
    });
    try {
      const began = performance.now();
      setTimeout(() => {
        online = true;
        scope.dispatchEvent(new Event("online"));
      }, 50);
      const source = await here.open(here.visit(), { fetch: flaky, online: () => online, retries: 0 });
      expect(performance.now() - began).toBeLessThan(900);
      await here.leave(source);
    } finally {
      Reflect.deleteProperty(globalThis, "addEventListener");
      Reflect.deleteProperty(globalThis, "removeEventListener");
    }
  });

  test("offline for too long is a typed error, an abort ends the wait, and a stored model loads", async () => {
    const offline = { fetch: dead, online: () => false };
    expect(await errorCode(here.open(here.visit(), { ...offline, offlineMs: 30 }))).toBe("NET.unreachable");
    expect(await errorCode(here.open(here.visit(), { ...offline, signal: AbortSignal.timeout(30) }))).toBe("AbortError");
    await loadAll(here);
    const source = await here.open(here.visit(), offline);
    await expectRight(source, here.content);
    await here.leave(source);
  });
});

describe("servers without ranges", () => {
  test("one stream, stored", async () => {
    here.server.ranges = false;
    const progress: number[] = [];
    const source = await here.open(here.visit(), { onReceive: (received, total) => progress.push(received / (total ?? Number.NaN)) });
    await expectRight(source, here.content);
    await source.finish?.();
    expect(here.server.requests).toHaveLength(1);
    expect(Math.max(...progress)).toBe(1);
    expect(source.stored?.complete()).toBe(true);
    await here.leave(source);
    const again = await here.open(here.visit());
    await expectRight(again, here.content);
    expect(here.server.requests).toHaveLength(1);
    await here.leave(again);
  });

  test("row 36: a cut stream starts again; row 37: one that ends early under a length is never completed", async () => {
    here.server.ranges = false;
    here.server.faults.push({ kind: "cut", after }, { kind: "stall", after });
    const source = await here.open(here.visit(), { stallMs: 100 });
    await expectRight(source, here.content);
    await here.leave(source);
    here.server.faults.push(...Array.from({ length: 9 }, (): Fault => ({ kind: "cut", after })));
    await using other = await startCase();
    other.server.ranges = false;
    other.server.faults.push(...Array.from({ length: 9 }, (): Fault => ({ kind: "cut", after })));
    expect(await errorCode(other.open(other.visit()))).toBe("NET.interrupted");
    expect(await other.visit().find(other.address)).toEqual([]);
    here.server.faults.length = 0;
  });

  test("row 37: without any length a clean early end cannot be seen, so nothing is stored", async () => {
    here.server.faults.push({ kind: "unsized", after });
    const source = await here.open(here.visit());
    expect(source.size).toBe(after);
    expect(source.stored).toBeUndefined();
    expect(source.unstored?.code).toBe("NET.length");
    await source.finish?.();
    await here.leave(source);
    expect(await here.visit().find(here.address)).toEqual([]);
  });

  test("row 37: a promised hash tells whether it is whole", async () => {
    const sha256 = createHash("sha256").update(here.content).digest("hex");
    here.server.faults.push({ kind: "unsized", after });
    expect(await errorCode(here.open(here.visit(), { sha256 }))).toBe("INTEGRITY.sha256");
    here.server.faults.push({ kind: "unsized" });
    const source = await here.open(here.visit(), { sha256 });
    await source.finish?.();
    expect(source.stored?.verified()).toBe(true);
    await here.leave(source);
  });

  test("row 43: gzip: the size is that of the bytes, and progress never passes the whole", async () => {
    here.server.faults.push({ kind: "gzip" });
    const totals = new Set<number | undefined>();
    const source = await here.open(here.visit(), { onReceive: (_, total) => totals.add(total) });
    await expectRight(source, here.content);
    expect([...totals]).toEqual([undefined]);
    await here.leave(source);
  });

  test("what an earlier visit stored is compared, not mixed", async () => {
    here.server.etag = "";
    const first = await here.open(here.visit());
    await first.read(0, 4 * caseChunk);
    await expect.poll(() => first.stored?.storedBytes()).toBe(4 * caseChunk);
    await here.leave(first);
    here.server.ranges = false;
    const young = here.content.slice();
    young[100] ^= 1;
    here.server.content = young;
    const source = await here.open(here.visit());
    await expectRight(source, young);
    await source.finish?.();
    await here.leave(source);
    expect(await expectHonestStore(here, young)).toBe(caseCount);
  });
});
