// Rows 36 to 43 of the fault matrix, as far as they need no store: downloads from a local server with scripted faults.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ShaderloomError } from "../../base/errors.ts";
import { startFaultServer } from "../../testing/fault_server.ts";
import type { Fault, FaultServer } from "../../testing/fault_server.ts";
import { errorCode, typedError } from "../../testing/typed_error.ts";
import type { ByteSource } from "../byte_source.ts";
import type { HttpOptions } from "./context.ts";
import { parseRetryAfter } from "./errors.ts";
import { parseContentRange } from "./headers.ts";
import { openHttpSource } from "./http_source.ts";

const size = 3 << 20;
const content = Uint8Array.from({ length: size }, (_, i) => (i * 7919) >> 5);
/** A range behind the first MiB, which is kept from opening. */
const offset = (1 << 20) + 12_345;
const length = 1 << 20;
const wanted = content.subarray(offset, offset + length);

/** What a browser does when the server is there and CORS forbids to look. */
const refusing: typeof fetch = async (_, init) => {
  if (init?.mode === "no-cors") return new Response(null);
  throw new TypeError("Failed to fetch");
};

const dead: typeof fetch = async () => Promise.reject(new TypeError("Failed to fetch"));

const deaf: typeof fetch = async () => new Promise<Response>(() => {});

let server: FaultServer;

beforeEach(async () => {
  server = await startFaultServer(content);
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

async function open(options: HttpOptions = {}): Promise<ByteSource> {
  return openHttpSource(new URL(`${server.origin}/m.gguf?signature=secret`), { backOffMs: 1, stallMs: 5000, retries: 3, ...options });
}

/** Short waits only where a fault is one: a busy machine may pause other transfers. */
function patience(faults: readonly Fault[]): HttpOptions {
  return faults.some(({ kind }) => kind === "stall" || kind === "silent") ? { stallMs: 250 } : {};
}

async function readWith(faults: readonly Fault[], options?: HttpOptions): Promise<Uint8Array> {
  const source = await open({ ...patience(faults), ...options });
  server.faults.push(...faults);
  return source.read(offset, length);
}

/** Opening and reading fail alike with this fault repeated; the message names the file and no query. */
async function failure(fault: Fault, phase: "open" | "read", options?: HttpOptions): Promise<ShaderloomError> {
  const faults = Array.from({ length: 10 }, () => fault);
  if (phase === "open") server.faults.push(...faults);
  const error = await typedError(phase === "open" ? open({ ...patience(faults), ...options }) : readWith(faults, options));
  expect(JSON.stringify(error.toPlain())).not.toContain("secret");
  expect(error.message).toContain("/m.gguf");
  return error;
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

describe("ranges", () => {
  test("size from the first answer, whose bytes are not fetched again", async () => {
    const source = await open();
    expect(source).toMatchObject({ size, name: `${server.origin}/m.gguf` });
    expect(same(await source.read(10, 1000), content.subarray(10, 1010))).toBe(true);
    expect(server.requests).toHaveLength(1);
    expect(same(await source.read(offset, length), wanted)).toBe(true);
    expect(server.requests[1]).toMatchObject({ range: `bytes=${offset}-${offset + length - 1}` });
    expect(same(await source.read(size - 1, 1), content.subarray(-1))).toBe(true);
    expect(await source.read(size, 0)).toHaveLength(0);
    expect(await errorCode(source.read(size - 1, 2))).toBe("SOURCE.range");
    expect(await errorCode(source.read(-1, 1))).toBe("SOURCE.range");
  });

  test("a shorter range than asked for is gone on with, at once", async () => {
    const source = await open({ retries: 0 });
    server.faults.push({ kind: "half" }, { kind: "half" });
    expect(same(await source.read(offset, length), wanted)).toBe(true);
    expect(server.requests).toHaveLength(4);
  });

  test("several reads at once", async () => {
    const source = await open();
    const reads = [0, 1, 2, 3].map(async (i) => source.read(offset + i * 1000, 1000));
    for (const [i, bytes] of (await Promise.all(reads)).entries()) {
      expect(same(bytes, content.subarray(offset + i * 1000, offset + (i + 1) * 1000))).toBe(true);
    }
  });

  test("closing ends what is under way and refuses further reads", async () => {
    const source = await open();
    server.faults.push({ kind: "silent" });
    const pending = errorCode(source.read(offset, length));
    source.close?.();
    expect(await pending).toBe("AbortError");
    expect(await errorCode(source.read(0, 1))).toBe("SOURCE.closed");
  });

  test("a range header is read strictly", () => {
    expect(parseContentRange("bytes 0-99/1234")).toEqual({ start: 0, end: 99, total: 1234 });
    for (const header of [null, "", "bytes */5", "bytes 0-99/*", "bytes 9-1/20", "bytes 0-20/20", "bytes -1-2/9", "items 0-1/2"]) {
      expect(parseContentRange(header), String(header)).toBeUndefined();
    }
  });
});

describe("retries from where it stopped", () => {
  test.each<[string, readonly Fault[]]>([
    ["row 36: a cut connection", [{ kind: "cut", after: 300_000 }]],
    ["row 36: a cut before the first byte", [{ kind: "cut", after: 0 }]],
    ["row 37: a clean end too early", [{ kind: "short", after: 300_000 }]],
    ["row 41: a stall", [{ kind: "stall", after: 300_000 }]],
    ["row 41: no answer", [{ kind: "silent" }]],
    ["row 42: 503", [{ kind: "status", status: 503 }]],
    ["row 42: 429 with Retry-After", [{ kind: "status", status: 429, headers: { "retry-after": "0" } }]],
    ["three faults in a row", [{ kind: "silent" }, { kind: "status", status: 500 }, { kind: "cut", after: 10 }]],
  ])("%s", async (_, faults) => {
    expect(same(await readWith(faults), wanted)).toBe(true);
    expect(server.requests).toHaveLength(2 + faults.length);
  });

  test("row 37: only what is missing is asked for again", async () => {
    expect(same(await readWith([{ kind: "short", after: 300_000 }]), wanted)).toBe(true);
    expect(server.requests.at(-1)?.range).toBe(`bytes=${offset + 300_000}-${offset + length - 1}`);
  });

  test("progress starts the count of failures anew", async () => {
    const faults = Array.from({ length: 9 }, (): Fault => ({ kind: "cut", after: 100_000 }));
    expect(same(await readWith(faults, { retries: 1 }), wanted)).toBe(true);
  });

  test("a server that drips is given up", async () => {
    const faults = Array.from({ length: 50 }, (): Fault => ({ kind: "short", after: 10 }));
    expect(await errorCode(readWith(faults))).toBe("NET.truncated");
    expect(server.requests).toHaveLength(5);
  });

  test("opening is retried too", async () => {
    server.faults.push({ kind: "status", status: 502 }, { kind: "cut", after: 10 }, { kind: "silent" });
    expect((await open({ stallMs: 250 })).size).toBe(size);
  });
});

describe("distinct codes", () => {
  test.each<[string, Fault, string, boolean]>([
    ["row 36: cut", { kind: "cut", after: 0 }, "NET.interrupted", true],
    ["row 37: clean end", { kind: "short", after: 0 }, "NET.truncated", true],
    ["row 38: range ignored", { kind: "whole" }, "NET.range", false],
    ["row 38: another range", { kind: "range", header: `bytes 0-${length - 1}/${size}` }, "NET.range", false],
    ["row 38: a longer range", { kind: "range", header: `bytes ${offset}-${offset + length}/${size}` }, "NET.range", false],
    ["row 38: 416", { kind: "status", status: 416 }, "NET.range", false],
    ["row 39: another length", { kind: "range", header: `bytes ${offset}-${offset + length - 1}/${size + 1}` }, "SOURCE.changed", false],
    ["row 39: another ETag", { kind: "headers", headers: { etag: '"2"' } }, "SOURCE.changed", false],
    ["row 41: stall", { kind: "stall", after: 0 }, "NET.stalled", true],
    ["row 41: silence", { kind: "silent" }, "NET.stalled", true],
    ["row 42: 401", { kind: "status", status: 401 }, "SOURCE.denied", false],
    ["row 42: 403", { kind: "status", status: 403 }, "SOURCE.denied", false],
    ["row 42: 404", { kind: "status", status: 404 }, "SOURCE.missing", false],
    ["row 42: 429", { kind: "status", status: 429 }, "NET.rate", true],
    ["row 42: 500", { kind: "status", status: 500 }, "NET.server", true],
    ["row 42: 418", { kind: "status", status: 418 }, "SOURCE.status", false],
  ])("%s", async (_, fault, code, retryable) => {
    const error = await failure(fault, "read");
    expect(error).toMatchObject({ code, retryable });
    expect(server.requests).toHaveLength(retryable ? 5 : 2);
  });

  test.each<[string, Fault, string]>([
    ["row 36: cut", { kind: "cut", after: 100 }, "NET.interrupted"],
    ["row 38: another range first", { kind: "range", header: `bytes 5-${size - 1}/${size}` }, "NET.range"],
    ["row 41: silence", { kind: "silent" }, "NET.stalled"],
    ["row 42: 401", { kind: "status", status: 401 }, "SOURCE.denied"],
    ["row 42: 404", { kind: "status", status: 404 }, "SOURCE.missing"],
    ["row 1: a web page", { kind: "page", body: "\n<!doctype html><p>log in", type: "text/html; charset=utf-8" }, "SOURCE.html"],
  ])("on opening: %s", async (_, fault, code) => {
    expect((await failure(fault, "open")).code).toBe(code);
  });

  test("row 42: a Retry-After beyond a minute is told, not waited for", async () => {
    const error = await failure({ kind: "status", status: 429, headers: { "retry-after": "3600" } }, "read");
    expect(error).toMatchObject({ code: "NET.rate", retryable: false, detail: { retryAfterMs: 3_600_000 } });
    expect(error.message).toContain("3600 seconds");
    expect(parseRetryAfter("Wed, 21 Oct 2026 07:28:10 GMT", Date.parse("2026-10-21T07:28:00Z"))).toBe(10_000);
    expect(parseRetryAfter("soon", 0)).toBeUndefined();
  });

  test("row 42: a redirect loop, and a server that is not there", async () => {
    server.redirects.set("/m.gguf?signature=secret", `${server.origin}/m.gguf?signature=secret`);
    expect(await errorCode(open({ retries: 0 }))).toBe("NET.unreachable");
    await server[Symbol.asyncDispose]();
    expect(await errorCode(open({ retries: 0 }))).toBe("NET.unreachable");
    server = await startFaultServer(content);
  });
});

describe("servers without ranges", () => {
  test("the file is read once and kept", async () => {
    server.faults.push({ kind: "whole" });
    const progress: number[] = [];
    const source = await open({ onReceive: (received, total) => progress.push(received / (total ?? Number.NaN)) });
    expect(source).toMatchObject({ size, name: `${server.origin}/m.gguf` });
    expect(same(await source.read(offset, length), wanted)).toBe(true);
    expect(server.requests).toHaveLength(1);
    expect(progress.at(-1)).toBe(1);
    expect(Math.max(...progress)).toBe(1);
  });

  test("row 43: under a content encoding the announced length is not believed", async () => {
    const { gzipSync } = await import("node:zlib");
    const fetchZipped: typeof fetch = async () =>
      new Response(content, { headers: { "content-encoding": "gzip", "content-length": String(gzipSync(content).length) } });
    const totals = new Set<number | undefined>();
    const source = await open({ fetch: fetchZipped, onReceive: (_, total) => totals.add(total) });
    expect(source.size).toBe(size);
    expect([...totals]).toEqual([undefined]);
  });

  test("a clean end before the announced length", async () => {
    const short = new Response(content.subarray(0, 100), { headers: { "content-length": "200" } });
    expect(await errorCode(open({ fetch: async () => short, retries: 0 }))).toBe("NET.truncated");
  });

  test("too large to hold", async () => {
    server.faults.push({ kind: "whole" }, { kind: "whole", headers: { "content-encoding": "identity, x" } });
    expect(await errorCode(open({ maxBufferedBytes: size - 1 }))).toBe("LIMIT.memory");
    expect(await errorCode(open({ maxBufferedBytes: size - 1 }))).toBe("LIMIT.memory");
  });
});

describe("other origins", () => {
  const url = new URL("https://models.example/m.gguf");

  test("row 40: a hidden Content-Range, ETag and length come from elsewhere", async () => {
    const hiding: typeof fetch = async (_, init) => {
      const range = /bytes=(\d+)-(\d*)/.exec(new Headers(init?.headers).get("range") ?? "");
      const body = content.subarray(Number(range?.[1]), range?.[2] ? Number(range[2]) + 1 : size);
      return new Response(body, { status: 206, headers: { "content-length": String(body.length) } });
    };
    const source = await openHttpSource(url, { fetch: hiding, origin: "https://page.example", backOffMs: 1 });
    expect(source.size).toBe(size);
    expect(same(await source.read(offset, length), wanted)).toBe(true);
  });

  test("row 42: a CORS refusal is told from a dead server by a request that may not be read", async () => {
    const options = { origin: "https://page.example", backOffMs: 1, retries: 1 };
    expect(await errorCode(openHttpSource(url, { ...options, fetch: refusing }))).toBe("NET.cors");
    expect(await errorCode(openHttpSource(url, { ...options, fetch: dead }))).toBe("NET.unreachable");
    expect(await errorCode(openHttpSource(url, { ...options, origin: url.origin, fetch: refusing }))).toBe("NET.unreachable");
  });
});

describe("abort", () => {
  test.each<[string, Fault]>([
    ["while nothing comes", { kind: "silent" }],
    ["in the body", { kind: "stall", after: 100 }],
    ["in a back-off", { kind: "status", status: 503, headers: { "retry-after": "30" } }],
  ])("%s", async (_, fault) => {
    const source = await open({ stallMs: 10_000 });
    server.faults.push(fault);
    const signal = AbortSignal.timeout(50);
    const start = performance.now();
    expect(await errorCode(source.read(offset, length, { signal }))).toBe("AbortError");
    expect(performance.now() - start).toBeLessThan(5000);
    server.faults.push(fault);
    expect(await errorCode(open({ stallMs: 10_000, signal: AbortSignal.timeout(50) }))).toBe("AbortError");
  });

  test("a fetch that ignores its signal does not hang", async () => {
    expect(await errorCode(open({ fetch: deaf, signal: AbortSignal.timeout(20) }))).toBe("AbortError");
    expect(await errorCode(open({ fetch: deaf, stallMs: 20, retries: 0 }))).toBe("NET.stalled");
  });
});
