// Page and worker over a real message port: loading, failure, silence, forged messages. What both kinds of engine share is
// tested in api/session_engine.test.ts.
import { afterEach, describe, expect, test, vi } from "vitest";
import type { EngineOptions, LoadProgress } from "../api/types.ts";
import { ShaderloomError } from "../base/errors.ts";
import { FAKE_EOS, byteIds, fakeSession } from "../testing/fake_session.ts";
import { unasked, portEngine, portPair } from "../testing/port_engine.ts";
import { createRemoteEngine } from "./client.ts";
import { serveEngine } from "./host.ts";
import { parseFromWorker, wrap } from "./protocol.ts";

const settle = (ms = 5): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
const answer = () => [...byteIds("abc"), FAKE_EOS];
const never = (): Promise<void> => new Promise(() => undefined);
const closing: Array<() => Promise<void>> = [];

afterEach(async () => {
  vi.useRealTimers();
  for (const close of closing.splice(0)) await close();
});

async function subject(...args: Parameters<typeof portEngine>) {
  const made = await portEngine(...args);
  closing.push(() => made.engine.unload());
  return made;
}

describe("loading", () => {
  test("carries options and progress across, and keeps the caller's bytes the caller's", async () => {
    const seen: EngineOptions[] = [];
    const buffer = new ArrayBuffer(64);
    const view = new Uint8Array(buffer, 16, 8).fill(7);
    const moments: LoadProgress[] = [];
    const moment: LoadProgress = {
      phase: "header",
      file: "f",
      loaded: 1,
      total: 2,
      bytesPerSecond: 3,
      fromCache: true,
      progress: 0.1,
      text: "t",
    };
    const { engine } = await subject(
      (options) => {
        seen.push(options);
        options.onProgress?.(moment);
        return fakeSession({ answer });
      },
      {
        model: view,
        contextLength: 128,
        activations: "int8",
        deviceClass: "cpu",
        hub: { token: "x" },
        execution: { fusion: ["qkv"], tokensInFlight: 3 },
        onProgress: (p) => moments.push(p),
      },
    );
    expect(seen[0]).toMatchObject({ contextLength: 128, activations: "int8", deviceClass: "cpu", hub: { token: "x" }, worker: false });
    expect(seen[0].execution).toEqual({ fusion: ["qkv"], tokensInFlight: 3 });
    const model = seen[0].model as Uint8Array;
    expect(model).toEqual(view);
    expect(model.buffer.byteLength).toBe(8);
    expect(buffer.byteLength).toBe(64);
    expect(moments).toEqual([moment]);
    expect((await engine.info()).worker).toBe(true);
  });

  test("Blobs arrive as Blobs, URLs as addresses, hub paths as they are", async () => {
    const seen: unknown[] = [];
    const load = ({ model }: EngineOptions) => {
      seen.push(model);
      return fakeSession({ answer });
    };
    for (const model of [new Blob(["abc"]), new URL("https://example.test/a.gguf"), "hf:o/r/f.gguf", new ArrayBuffer(3)]) {
      await subject(load, { model });
    }
    expect(seen[0]).toBeInstanceOf(Blob);
    expect(await (seen[0] as Blob).text()).toBe("abc");
    expect(seen.slice(1)).toEqual(["https://example.test/a.gguf", "hf:o/r/f.gguf", new ArrayBuffer(3)]);
  });

  test("a failed load keeps code and detail and ends the worker", async () => {
    const pair = portPair();
    const thrown = new ShaderloomError("FORMAT.truncated", "Cut. Fetch it again.", { detail: { offset: 7, names: ["a"] } });
    serveEngine(pair.inside, { estimate: unasked, probe: unasked, createEngine: () => Promise.reject(thrown) }, true);
    const failure = createRemoteEngine(pair.worker, { model: "a.gguf" });
    await expect(failure).rejects.toBeInstanceOf(ShaderloomError);
    await expect(failure).rejects.toMatchObject(thrown.toPlain());
    expect(pair.worker.terminated).toBe(true);
  });

  test("an abort rejects at once and ends the worker, whatever the worker is doing", async () => {
    const pair = portPair();
    serveEngine(pair.inside, { estimate: unasked, probe: unasked, createEngine: () => new Promise(() => undefined) }, true);
    const controller = new AbortController();
    const loading = createRemoteEngine(pair.worker, { model: "a.gguf", signal: controller.signal });
    await settle();
    controller.abort();
    await expect(loading).rejects.toMatchObject({ code: "AbortError" });
    expect(pair.worker.terminated).toBe(true);
  });

  test("arguments that cannot cross are the caller's mistake, and nothing else ends", async () => {
    const { engine } = await subject(() => fakeSession({ answer }));
    await expect(engine.completions.create({ prompt: "a", user: (() => 1) as never })).rejects.toMatchObject({ code: "REQUEST.data" });
    await expect(engine.completions.create({ prompt: "a", user: (() => 1) as never, stream: true })).rejects.toMatchObject({
      code: "REQUEST.data",
    });
    expect((await engine.completions.create({ prompt: "a" })).choices[0].text).toBe("abc");
  });
});

describe("a worker that dies", () => {
  test("by an error nobody handled: open calls and later ones are told, and it is ended", async () => {
    const { engine, host, pair } = await subject(() => fakeSession({ answer, pause: never }));
    const call = engine.completions.create({ prompt: "a" });
    const stream = (await engine.completions.create({ prompt: "a", stream: true }))[Symbol.asyncIterator]();
    const next = stream.next();
    const outcomes = Promise.allSettled([call, next]);
    host.fault(new Error("boom"));
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { code: "WORKER.internal", message: expect.stringContaining("boom") as string },
      });
    }
    await expect(engine.tokenize("a")).rejects.toMatchObject({ code: "WORKER.internal" });
    expect((await stream.next()).done).toBe(true);
    expect(pair.worker.terminated).toBe(true);
  });

  test("silently: pings find out, and only while somebody waits", async () => {
    const { engine, pair } = await subject(() => fakeSession({ answer, pause: never }), {}, { heartbeat: { intervalMs: 10, misses: 3 } });
    pair.inside.close();
    await settle(100);
    expect(pair.worker.terminated).toBe(false);
    await expect(engine.info()).rejects.toMatchObject({ code: "WORKER.silent", retryable: true });
    expect(pair.worker.terminated).toBe(true);
  });

  test("a busy but living worker is left alone", async () => {
    const { engine } = await subject(
      () => fakeSession({ answer, pause: () => settle(30) }),
      {},
      { heartbeat: { intervalMs: 5, misses: 3 } },
    );
    expect((await engine.completions.create({ prompt: "a" })).choices[0].text).toBe("abc");
  });

  test("unload does not wait for ever for one that does not answer", async () => {
    const { engine, pair } = await subject(() => fakeSession({ answer }));
    pair.inside.close();
    vi.useFakeTimers();
    const unloading = engine.unload();
    await vi.advanceTimersByTimeAsync(5000);
    await unloading;
    expect(pair.worker.terminated).toBe(true);
  });
});

describe("messages that are none of ours", () => {
  test("are dropped and counted by the host, which goes on", async () => {
    const { engine, host, pair } = await subject(() => fakeSession({ answer }));
    pair.worker.postMessage("forged", []);
    pair.worker.postMessage({ shaderloom: 99, message: { kind: "abort", id: 1 } }, []);
    pair.worker.postMessage(wrap({ kind: "credit", id: 12345, count: 1 }), []);
    pair.worker.postMessage(wrap({ kind: "abort", id: 12345 }), []);
    expect((await engine.completions.create({ prompt: "a" })).choices[0].text).toBe("abc");
    expect(host.dropped).toBe(2);
    expect(host.open).toBe(0);
  });

  test("a second load and a repeated id do not disturb the first", async () => {
    const { engine, host, pair } = await subject(() => fakeSession({ answer, pause: () => settle(5) }));
    pair.worker.postMessage(wrap({ kind: "load", id: 900, options: { model: "b" } }), []);
    await settle();
    const refusals = pair.sent.map((data) => parseFromWorker(data)).filter((message) => message?.kind === "error");
    expect(refusals).toMatchObject([{ id: 900, error: { code: "WORKER.loaded" } }]);
    pair.worker.postMessage(wrap({ kind: "call", id: 901, method: "completions", args: [{ prompt: "a" }] }), []);
    pair.worker.postMessage(wrap({ kind: "call", id: 901, method: "completions", args: [{ prompt: "b" }] }), []);
    expect((await engine.completions.create({ prompt: "a" })).choices[0].text).toBe("abc");
    expect(host.dropped).toBe(1);
  });

  test("late, malformed and nonsense answers do not reach a call", async () => {
    const pair = portPair();
    const post = (message: unknown): void => pair.inside.postMessage(message, []);
    pair.inside.addEventListener("message", (event: MessageEvent<{ message: { kind: string; id: number; method?: string } }>) => {
      const { kind, id, method } = event.data.message;
      if (kind === "load") {
        post(wrap({ kind: "result", id: 77_777, value: "late" }));
        post({ shaderloom: 0, message: { kind: "result", id, value: undefined } });
        post(wrap({ kind: "error", id, error: { code: "NOT_A_CODE" } }));
        post(wrap({ kind: "result", id, value: undefined }));
      } else if (method === "tokenize") post(wrap({ kind: "result", id, value: "not ids" }));
      else if (kind === "stream") post(wrap({ kind: "result", id }));
      else if (kind === "credit") post(wrap({ kind: "chunk", id, value: 5 }));
    });
    const engine = await createRemoteEngine(pair.worker, { model: "a" });
    await expect(engine.tokenize("a")).rejects.toMatchObject({ code: "WORKER.message" });
    const stream = await engine.completions.create({ prompt: "a", stream: true });
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "WORKER.message" });
    pair.worker.terminate();
  });
});

describe("streams", () => {
  test("keep at most a window of chunks under way and leave nothing behind", async () => {
    const session = fakeSession({ answer: () => byteIds("x".repeat(60)) });
    const { engine, host, pair } = await subject(() => session);
    const chunksSent = (): number => pair.sent.filter((data) => parseFromWorker(data)?.kind === "chunk").length;
    const stream = (await engine.completions.create({ prompt: "a", max_tokens: 60, stream: true }))[Symbol.asyncIterator]();
    let taken = 0;
    for (;;) {
      const { done } = await stream.next();
      if (done === true) break;
      taken++;
      if (taken % 7 === 0) await settle(20);
      expect(chunksSent() - taken).toBeLessThanOrEqual(8);
    }
    expect(taken).toBe(61);
    expect(host.open).toBe(0);
  });

  test("an abort drops what is under way and rejects at once", async () => {
    const controller = new AbortController();
    const { engine, host } = await subject(() => fakeSession({ answer: () => byteIds("x".repeat(60)) }));
    const stream = (await engine.completions.create({ prompt: "a", max_tokens: 60, stream: true }, controller))[Symbol.asyncIterator]();
    await stream.next();
    await settle(20);
    controller.abort();
    await expect(stream.next()).rejects.toMatchObject({ code: "AbortError" });
    expect((await stream.next()).done).toBe(true);
    await settle(20);
    expect(host.open).toBe(0);
  });

  test("an abort while the request is still being checked rejects the opening", async () => {
    const controller = new AbortController();
    const { engine, host } = await subject(() => fakeSession({ answer }));
    const opening = engine.completions.create({ prompt: "a", stream: true }, controller);
    controller.abort();
    await expect(opening).rejects.toMatchObject({ code: "AbortError" });
    await settle(20);
    expect(host.open).toBe(0);
  });

  test("several engines on one page do not mix", async () => {
    const letters = ["a", "b", "c"];
    const engines = await Promise.all(
      letters.map((letter) => subject(() => fakeSession({ answer: () => [...byteIds(letter), FAKE_EOS] }))),
    );
    const texts = await Promise.all(engines.map(async ({ engine }) => (await engine.completions.create({ prompt: "p" })).choices[0].text));
    expect(texts).toEqual(letters);
  });
});
