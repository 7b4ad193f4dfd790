// `profile` as a caller sees it, in this thread and behind a message port: its options, its turn, its end.

import { afterEach, describe, expect, test } from "vitest";
import { FAKE_EOS, byteIds, fakeSession } from "../testing/fake_session.ts";
import type { FakeOptions } from "../testing/fake_session.ts";
import { portEngine } from "../testing/port_engine.ts";
import { createSessionEngine } from "./session_engine.ts";
import type { Engine } from "./types.ts";

const open: Engine[] = [];
afterEach(async () => {
  for (const engine of open.splice(0)) await engine.unload();
});

async function subject(kind: string, options: Partial<FakeOptions> = {}): Promise<Engine> {
  const session = fakeSession({ answer: () => [...byteIds("abc"), FAKE_EOS], ...options });
  const engine = kind === "here" ? createSessionEngine(session) : (await portEngine(() => session)).engine;
  open.push(engine);
  return engine;
}

const settle = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 5));

const untilAborted = (signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve) => {
    signal?.addEventListener("abort", () => resolve());
  });

describe.each(["here", "behind a port"])("an engine %s", (kind) => {
  test("profiles in its turn, with the caller's numbers", async () => {
    const engine = await subject(kind);
    const answer = engine.completions.create({ prompt: "a" });
    const profile = await engine.profile({ tokens: 33, promptTokens: 7 });
    expect(profile.steps).toMatchObject([
      { phase: "decode", contextTokens: 33 },
      { phase: "prefill", rows: 7 },
    ]);
    expect(profile.table).toContain("decode of 1 row, 33 tokens of context");
    expect(profile.trace.traceEvents).toHaveLength(3);
    expect((await answer).choices[0].text).toBe("abc");
    expect((await engine.profile()).steps).toHaveLength(2);
  });

  test.each([
    ["tokens", { tokens: 0 }, "tokens must be an integer from 1 to 300, got 0"],
    ["tokens", { tokens: 301 }, "tokens must be an integer from 1 to 300, got 301"],
    ["tokens", { tokens: "9" }, "tokens must be an integer from 1 to 300"],
    ["promptTokens", { promptTokens: 257 }, "promptTokens must be an integer from 1 to 256, got 257"],
    ["promptTokens", { promptTokens: 1.5 }, "promptTokens must be an integer from 1 to 256"],
    ["steps", { steps: 3 }, "the fields are tokens, promptTokens, signal"],
    ["signal", { signal: {} }, "signal must be an AbortSignal"],
    ["options", 5, "options must be an object"],
  ])("refuses %s of %o with field and range", async (name, options, message) => {
    const engine = await subject(kind, { contextLength: 300 });
    const expected = { code: `REQUEST.${name}`, message: expect.stringContaining(message) as string };
    await expect(engine.profile(options as never)).rejects.toMatchObject(expected);
  });

  test("a context shorter than a chunk bounds the prompt", async () => {
    const engine = await subject(kind, { contextLength: 100 });
    await expect(engine.profile({ promptTokens: 101 })).rejects.toMatchObject({
      message: expect.stringContaining("from 1 to 100") as string,
    });
  });

  test("ends with its signal or with the engine", async () => {
    const engine = await subject(kind, { pause: untilAborted });
    const stop = new AbortController();
    const aborted = engine.profile({ signal: stop.signal });
    await settle();
    stop.abort();
    await expect(aborted).rejects.toMatchObject({ code: "AbortError" });
    const left = expect(engine.profile()).rejects.toMatchObject({
      code: expect.stringMatching(/AbortError|REQUEST.unloaded/) as string,
      message: expect.stringContaining("The engine was unloaded") as string,
    });
    await settle();
    await engine.unload();
    await left;
    await expect(engine.profile()).rejects.toMatchObject({ code: "REQUEST.unloaded" });
  });
});
