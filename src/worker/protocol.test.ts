import { describe, expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { PROTOCOL_VERSION, STREAM_WINDOW, parseFromWorker, parseToWorker, wrap } from "./protocol.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";

const error = { code: "GPU.lost" as const, message: "m", retryable: false, detail: {} };
const progress = {
  phase: "weights" as const,
  file: "f",
  loaded: 1,
  total: 2,
  bytesPerSecond: 3,
  fromCache: false,
  progress: 0.5,
  text: "t",
};

const toWorker: ToWorker[] = [
  { kind: "load", id: 1, options: { model: "a.gguf" } },
  { kind: "task", id: 1, task: "estimate", options: { model: "a.gguf" } },
  { kind: "task", id: 1, task: "probe", options: {} },
  { kind: "call", id: 2, method: "tokenize", args: ["a"] },
  { kind: "call", id: 2, method: "profile", args: [{ tokens: 5 }] },
  { kind: "call", id: 2, method: "saveSession", args: [{ id: "a" }] },
  { kind: "call", id: 2, method: "importSession", args: [new Uint8Array(3)] },
  { kind: "call", id: 2, method: "unload", args: [] },
  { kind: "stream", id: 3, method: "chat", request: { messages: [], stream: true } },
  { kind: "stream", id: 3, method: "completions", request: { prompt: "", stream: true } },
  { kind: "credit", id: 3, count: STREAM_WINDOW },
  { kind: "abort", id: 3 },
  { kind: "ping", id: 0 },
];
const fromWorker: FromWorker[] = [
  { kind: "hello", webgpu: true },
  { kind: "progress", id: 1, progress },
  { kind: "result", id: 1, value: undefined },
  { kind: "chunk", id: 1, value: { choices: [] } },
  { kind: "end", id: 1 },
  { kind: "error", id: 1, error },
  { kind: "pong", id: 1 },
  { kind: "fault", error },
];

describe("a message", () => {
  test.each(toWorker)("to the worker survives the wire: %o", (message) => {
    expect(parseToWorker(structuredClone(wrap(message)))).toEqual(message);
    expect(parseFromWorker(wrap(message))).toBeUndefined();
  });
  test.each(fromWorker)("from the worker survives the wire: %o", (message) => {
    expect(parseFromWorker(structuredClone(wrap(message)))).toEqual(message);
    expect(parseToWorker(wrap(message))).toBeUndefined();
  });
});

describe("forged or malformed data is no message", () => {
  const bad: unknown[] = [
    null,
    undefined,
    5,
    "load",
    [],
    {},
    { shaderloom: PROTOCOL_VERSION },
    { shaderloom: PROTOCOL_VERSION, message: null },
    { shaderloom: PROTOCOL_VERSION + 1, message: toWorker[0] },
    { shaderloom: String(PROTOCOL_VERSION), message: toWorker[0] },
    toWorker[0],
    ...[
      { kind: "load", id: 1 },
      { kind: "load", id: -1, options: {} },
      { kind: "load", id: 1.5, options: {} },
      { kind: "load", id: "1", options: {} },
      { kind: "task", id: 1, task: "eval", options: {} },
      { kind: "task", id: 1, task: "__proto__", options: {} },
      { kind: "task", id: 1, task: "probe" },
      { kind: "call", id: 1, method: "eval", args: [] },
      { kind: "call", id: 1, method: "constructor", args: [] },
      { kind: "call", id: 1, method: "__proto__", args: [] },
      { kind: "call", id: 1, method: "tokenize", args: "a" },
      { kind: "stream", id: 1, method: "tokenize" },
      { kind: "credit", id: 1, count: -1 },
      { kind: "credit", id: 1, count: STREAM_WINDOW + 1 },
      { kind: "credit", id: 1, count: Number.NaN },
      { kind: "__proto__", id: 1 },
      { kind: "toString", id: 1 },
      { kind: ["load"], id: 1, options: {} },
      { kind: "hello" },
      { kind: "progress", id: 1 },
      { kind: "result" },
      { kind: "error", id: 1, error: { ...error, code: "MADE_UP" } },
      { kind: "error", id: 1, error: { ...error, message: 5 } },
      { kind: "error", id: 1, error: "GPU.lost" },
      { kind: "fault" },
      { kind: "fault", error: { ...error, detail: null } },
    ].map((message) => ({ shaderloom: PROTOCOL_VERSION, message })),
  ];
  test.each(bad)("%o", (data) => {
    expect(parseToWorker(data)).toBeUndefined();
    expect(parseFromWorker(data)).toBeUndefined();
  });

  test("and random changes to good ones never throw", () => {
    const rng = seededRng(4);
    const values: unknown[] = [null, undefined, 0, -1, 1e300, Number.NaN, "", "chat", [], {}, true, { code: "GPU" }];
    let parsed = 0;
    for (let i = 0; i < 20_000; i++) {
      const good = rng.unit() < 0.5 ? toWorker[rng.below(toWorker.length)] : fromWorker[rng.below(fromWorker.length)];
      const message: Record<string, unknown> = { ...good };
      const keys = Object.keys(message);
      message[keys[rng.below(keys.length)]] = values[rng.below(values.length)];
      if (parseToWorker(wrap(message)) !== undefined || parseFromWorker(wrap(message)) !== undefined) parsed++;
    }
    expect(parsed).toBeGreaterThan(0);
    expect(parsed).toBeLessThan(15_000);
  });
});
