// Rows 36 to 44 of the fault matrix, through the store: every fault ends in the right bytes or in its own typed error. What is stored after it
// is right, and the next visit fetches nothing complete again.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type DownloadCase,
  caseBytes,
  caseChunk,
  counting,
  expectHonestStore,
  expectIdle,
  expectRight,
  loadAll,
  startCase,
  wholeChunksAsked,
} from "../../testing/download_case.ts";
import type { Fault } from "../../testing/fault_server.ts";
import { errorCode, typedError } from "../../testing/typed_error.ts";
import { DownloadPool } from "./pool.ts";
import type { OpenSourceOptions } from "../source.ts";

let here: DownloadCase;

beforeEach(async () => {
  here = await startCase();
});

afterEach(async () => {
  await expectIdle(here.locks);
  await here[Symbol.asyncDispose]();
});

/** Short waits only where a fault is one: a busy machine may pause other transfers. */
function patience(fault: Fault): Partial<OpenSourceOptions> {
  return fault.kind === "stall" || fault.kind === "silent" ? { stallMs: 100 } : { stallMs: 5000 };
}

/** A whole load with faults in a row from some request on. */
async function loadWith(faults: readonly Fault[], options: Partial<OpenSourceOptions> = {}): Promise<void> {
  const source = await here.open(here.visit(), options);
  try {
    here.server.faults.push(...faults);
    await expectRight(source, here.content);
    await source.finish?.();
    expect(source.stored?.complete()).toBe(true);
  } finally {
    here.server.faults.length = 0;
    await here.leave(source);
  }
}

/** The next visit ends well and fetches nothing that is stored. */
async function expectResumed(): Promise<void> {
  const stored = await expectHonestStore(here);
  here.server.requests.length = 0;
  const diagnostics = counting();
  const source = await here.open(here.visit(), { diagnostics });
  await expectRight(source, here.content);
  await source.finish?.();
  expect(source.stored?.complete()).toBe(true);
  expect(diagnostics.networkBytes).toBeLessThanOrEqual(caseBytes - Math.max(stored - 1, 0) * caseChunk);
  expect(Math.max(...wholeChunksAsked(here.server.requests))).toBeLessThanOrEqual(1);
  await here.leave(source);
}

const after = 10_000;

describe("mended without anybody noticing", () => {
  test.each<[string, readonly Fault[]]>([
    ["row 36: a cut connection", [{ kind: "cut", after }]],
    [
      "row 36: a cut before the first byte, twice",
      [
        { kind: "cut", after: 0 },
        { kind: "cut", after: 0 },
      ],
    ],
    ["row 37: a clean end too early", [{ kind: "short", after }]],
    ["row 38: half of the range", [{ kind: "half" }, { kind: "half" }]],
    ["row 41: a stall", [{ kind: "stall", after }]],
    ["row 41: no answer", [{ kind: "silent" }]],
    ["row 42: 503", [{ kind: "status", status: 503 }]],
    ["row 42: 429 with Retry-After", [{ kind: "status", status: 429, headers: { "retry-after": "0" } }]],
  ])("%s", async (_, faults) => {
    const diagnostics = counting();
    await loadWith(faults, { ...patience(faults[0] ?? { kind: "half" }), diagnostics });
    expect(diagnostics.networkBytes).toBe(caseBytes);
    expect(diagnostics.retries).toBe(faults[0]?.kind === "half" ? 0 : faults.length);
    await expectHonestStore(here);
  });

  test("a server that asks for fewer requests gets fewer", async () => {
    let most = 0;
    let now = 0;
    const counted: typeof fetch = async (input, init) => {
      most = Math.max(most, ++now);
      const response = await fetch(input, init);
      await new Promise((resolve) => setTimeout(resolve, 2));
      now--;
      return response;
    };
    const pool = new DownloadPool({ chunkBytes: caseChunk, requests: 4 });
    const source = await here.open(here.visit(), { shared: { pool }, fetch: counted });
    const rate: Fault = { kind: "status", status: 429, headers: { "retry-after": "0" } };
    here.server.faults.push(rate, rate);
    await source.finish?.();
    most = 0;
    await source.read(0, 10);
    expect(pool.canStart(false)).toBe(true);
    const one = pool.start(false);
    expect(pool.canStart(false)).toBe(false);
    pool.give(one);
    pool.endRequest();
    await here.leave(source);
  });
});

describe("each failure has its own code, and what came before it is kept", () => {
  test.each<[string, Fault, string, boolean]>([
    ["row 36: cut", { kind: "cut", after: 0 }, "NET.interrupted", true],
    ["row 37: clean end", { kind: "short", after: 0 }, "NET.truncated", true],
    ["row 38: range ignored", { kind: "whole" }, "NET.range", false],
    ["row 38: range ignored, no length", { kind: "unsized" }, "NET.range", false],
    ["row 38: another range", { kind: "range", header: `bytes 0-${caseChunk - 1}/${caseBytes}` }, "NET.range", false],
    ["row 38: 416", { kind: "status", status: 416 }, "NET.range", false],
    ["row 39: another ETag", { kind: "headers", headers: { etag: '"2"' } }, "SOURCE.changed", false],
    ["row 41: stall", { kind: "stall", after: 0 }, "NET.stalled", true],
    ["row 41: silence", { kind: "silent" }, "NET.stalled", true],
    ["row 42: 401", { kind: "status", status: 401 }, "SOURCE.denied", false],
    ["row 42: 403, a signature that expired", { kind: "status", status: 403 }, "SOURCE.denied", false],
    ["row 42: 404", { kind: "status", status: 404 }, "SOURCE.missing", false],
    ["row 42: 429", { kind: "status", status: 429 }, "NET.rate", true],
    ["row 42: 500", { kind: "status", status: 500 }, "NET.server", true],
    ["row 43: gzip under a range", { kind: "gzip" }, "NET.range", false],
  ])("%s", async (_, fault, code, retryable) => {
    const source = await here.open(here.visit(), patience(fault));
    await source.read(4 * caseChunk, 2 * caseChunk);
    await expect.poll(() => source.stored?.storedBytes()).toBe(3 * caseChunk);
    const faults = Array.from({ length: 40 }, () => fault);
    here.server.faults.push(...faults);
    const error = await typedError(source.read(7 * caseChunk, 1000));
    expect(error).toMatchObject({ code, retryable });
    expect(JSON.stringify(error.toPlain())).not.toContain("secret");
    expect(await errorCode(source.finish?.() ?? Promise.resolve())).toBe(code);
    expect(await errorCode(source.read(8 * caseChunk, 1000))).toBe(code);
    // What is here is here.
    expect(Buffer.compare(await source.read(5 * caseChunk, 100), here.content.subarray(5 * caseChunk, 5 * caseChunk + 100))).toBe(0);
    await here.leave(source);
    here.server.faults.length = 0;
    expect(await expectHonestStore(here)).toBeGreaterThanOrEqual(3);
    await expectResumed();
  });

  test.each<[string, Fault, string]>([
    ["row 1: a web page", { kind: "page", body: "<!doctype html><p>log in", type: "text/html; charset=utf-8" }, "SOURCE.html"],
    ["row 36: cut", { kind: "cut", after: 100 }, "NET.interrupted"],
    ["row 41: silence", { kind: "silent" }, "NET.stalled"],
    ["row 42: 401", { kind: "status", status: 401 }, "SOURCE.denied"],
    ["row 42: 404", { kind: "status", status: 404 }, "SOURCE.missing"],
    ["row 42: 503", { kind: "status", status: 503 }, "NET.server"],
  ])("on opening, with nothing stored: %s", async (_, fault, code) => {
    here.server.faults.push(...Array.from({ length: 10 }, () => fault));
    expect(await errorCode(here.open(here.visit(), patience(fault)))).toBe(code);
    expect(await here.visit().find(here.address)).toEqual([]);
    expect(await here.halves.chunks.files()).toEqual([]);
  });

  test("row 42: a redirect loop, and a server that is not there", async () => {
    here.server.redirects.set("/model.gguf", here.address);
    expect(await errorCode(here.open(here.visit()))).toBe("NET.unreachable");
    here.server.redirects.clear();
    await loadAll(here);
    await here.server[Symbol.asyncDispose]();
    const models = here.visit();
    expect(await errorCode(here.open(models, { store: { models, mode: "refresh" } }))).toBe("NET.unreachable");
    const source = await here.open(models);
    await expectRight(source, here.content);
    await here.leave(source);
  });

  test("a redirect to another address is followed for each request", async () => {
    await using elsewhere = await startCase();
    here.server.redirects.set("/model.gguf", elsewhere.address);
    const source = await here.open(here.visit());
    await expectRight(source, elsewhere.content);
    await source.finish?.();
    expect(source.stored?.complete()).toBe(true);
    await here.leave(source);
  });
});

test("row 44: a wrong byte of the right length is seen where a hash was promised, and deleted", async () => {
  const { createHash } = await import("node:crypto");
  const sha256 = createHash("sha256").update(here.content).digest("hex");
  const source = await here.open(here.visit(), { sha256 });
  here.server.faults.push({ kind: "flip", at: 100 });
  await source.read(5 * caseChunk, 10);
  expect(await typedError(source.finish?.() ?? Promise.resolve())).toMatchObject({ code: "INTEGRITY.sha256", retryable: true });
  expect(source.stored?.storedBytes()).toBe(0);
  await here.leave(source);
  const again = await here.open(here.visit(), { sha256 });
  await expectRight(again, here.content);
  await again.finish?.();
  expect(again.stored?.verified()).toBe(true);
  await here.leave(again);
});
