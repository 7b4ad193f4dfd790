import { describe, expect, test } from "vitest";
import { FAKE_BOS, FAKE_EOS, byteIds, fakeSession, fakeTokenizer } from "../testing/fake_session.ts";
import type { FakeOptions } from "../testing/fake_session.ts";
import { createSessionEngine } from "./session_engine.ts";
import type { Completion, CompletionRequest, Engine } from "./types.ts";

function engineOf(answer: readonly number[], options: Partial<FakeOptions> = {}) {
  const session = fakeSession({ answer: () => answer, ...options });
  return { session, engine: createSessionEngine(session) };
}

async function streamOf(engine: Engine, request: CompletionRequest): Promise<Completion[]> {
  const chunks: Completion[] = [];
  for await (const chunk of await engine.completions.create({ ...request, stream: true })) chunks.push(chunk);
  return chunks;
}

/** The text and end of a request, once whole and once streamed; both must agree. */
async function bothWays(answer: readonly number[], request: CompletionRequest, options: Partial<FakeOptions> = {}) {
  const whole = await engineOf(answer, options).engine.completions.create({ ...request, stream: false });
  const chunks = await streamOf(engineOf(answer, options).engine, { ...request, stream_options: { include_usage: true } });
  const choices = chunks.flatMap((chunk) => chunk.choices);
  expect(choices.map((choice) => choice.text).join("")).toBe(whole.choices[0].text);
  expect(choices.at(-1)?.finish_reason).toBe(whole.choices[0].finish_reason);
  expect(choices.slice(0, -1).every((choice) => choice.finish_reason === null)).toBe(true);
  const { usage } = chunks.at(-1) ?? {};
  expect(chunks.at(-1)?.choices).toEqual([]);
  for (const name of ["prompt_tokens", "completion_tokens", "total_tokens"] as const) expect(usage?.[name]).toBe(whole.usage?.[name]);
  if (whole.choices[0].logprobs !== null) {
    const parts = choices.map((choice) => choice.logprobs);
    expect(parts.flatMap((part) => part?.tokens ?? [])).toEqual(whole.choices[0].logprobs.tokens);
    expect(parts.flatMap((part) => part?.text_offset ?? [])).toEqual(whole.choices[0].logprobs.text_offset);
    expect(parts.flatMap((part) => part?.top ?? [])).toEqual(whole.choices[0].logprobs.top);
  }
  return { whole, chunks, texts: choices.map((choice) => choice.text) };
}

describe("shape", () => {
  test("is OpenAI's, with usage and times", async () => {
    const { engine, session } = engineOf([...byteIds("Hi"), FAKE_EOS]);
    const answer = await engine.completions.create({ prompt: "a", max_tokens: 9 });
    expect(answer).toMatchObject({ object: "text_completion", model: "fake", choices: [{ index: 0, text: "Hi", logprobs: null }] });
    expect(answer.id).toMatch(/^cmpl-/);
    expect(Math.abs(answer.created - Date.now() / 1000)).toBeLessThan(10);
    expect(answer.choices[0].finish_reason).toBe("stop");
    expect(answer.usage).toMatchObject({
      prompt_tokens: 2,
      completion_tokens: 3,
      total_tokens: 5,
      prompt_tokens_details: { cached_tokens: 1 },
      prefill_tokens_per_second: 500,
    });
    expect(answer.usage?.decode_tokens_per_second).toBeGreaterThan(0);
    expect(answer.usage?.time_to_first_token_ms).toBeLessThanOrEqual(answer.usage?.total_ms ?? 0);
    expect(session.ran[0]).toMatchObject({ promptIds: [FAKE_BOS, 97], maxTokens: 9 });
  });

  test("prompts get the model's beginning once, ids stay as given", async () => {
    const { engine, session } = engineOf([65]);
    await engine.completions.create({ prompt: "a" });
    await engine.completions.create({ prompt: [97, 98] });
    const plain = engineOf([65], { tokenizer: fakeTokenizer({ addBos: false }) });
    await plain.engine.completions.create({ prompt: "a" });
    expect([...session.ran, ...plain.session.ran].map((r) => r.promptIds)).toEqual([[FAKE_BOS, 97], [97, 98], [97]]);
    await expect(plain.engine.completions.create({ prompt: "" })).rejects.toMatchObject({ code: "REQUEST.prompt" });
  });

  test("max_tokens ends with length; the default is 16", async () => {
    const { engine } = engineOf(byteIds("x".repeat(100)));
    const { choices } = await engine.completions.create({ prompt: "a" });
    expect(choices[0]).toMatchObject({ text: "x".repeat(16), finish_reason: "length" });
  });
});

describe("text", () => {
  test("characters over several tokens come whole", async () => {
    const { texts, whole } = await bothWays([...byteIds("aé🎉漢b"), FAKE_EOS], { prompt: "p", max_tokens: 50 });
    expect(whole.choices[0].text).toBe("aé🎉漢b");
    expect(texts.filter((text) => text !== "")).toEqual(["a", "é", "🎉", "漢", "b"]);
  });

  test("a character that never ends becomes one U+FFFD", async () => {
    const { whole } = await bothWays([97, ...byteIds("🎉").slice(0, 2), FAKE_EOS], { prompt: "p" });
    expect(whole.choices[0].text).toBe("a\ufffd");
  });

  test("a character that begins in the prompt's ids ends in the answer", async () => {
    const bytes = byteIds("🎉");
    const { whole } = await bothWays([...bytes.slice(2), FAKE_EOS], { prompt: [97, ...bytes.slice(0, 2)] });
    expect(whole.choices[0].text).toBe("🎉");
  });

  test("end tokens are no text; ignore_eos goes past them", async () => {
    const answer = [97, FAKE_EOS, 98];
    expect((await bothWays(answer, { prompt: "p" })).whole.choices[0]).toMatchObject({ text: "a", finish_reason: "stop" });
    const ignoring = await bothWays(answer, { prompt: "p", max_tokens: 3, ignore_eos: true });
    expect(ignoring.whole.choices[0]).toMatchObject({ text: "ab", finish_reason: "length" });
  });
});

describe("stop strings", () => {
  test("end the answer before themselves, across the borders of tokens", async () => {
    // "Hello world" in tokens "Hello", " world"; "o w" crosses them.
    const { whole, texts } = await bothWays([258, 259, FAKE_EOS], { prompt: "p", stop: "o w" });
    expect(whole.choices[0]).toMatchObject({ text: "Hell", finish_reason: "stop" });
    expect(texts.join("|")).not.toContain("o");
  });

  test("what only looks like one is given in the end", async () => {
    const { whole } = await bothWays([...byteIds("abSTO"), FAKE_EOS], { prompt: "p", stop: ["STOP"] });
    expect(whole.choices[0]).toMatchObject({ text: "abSTO", finish_reason: "stop" });
    const cut = await bothWays(byteIds("abSTO"), { prompt: "p", stop: ["STOP"], max_tokens: 5 });
    expect(cut.whole.choices[0]).toMatchObject({ text: "abSTO", finish_reason: "length" });
  });

  test("no chunk ever holds a part of one, and the session is told to stop", async () => {
    const answer = byteIds(`one STOP two STOP`);
    const { texts } = await bothWays(answer, { prompt: "p", stop: "STOP", max_tokens: 50 });
    expect(texts.join("")).toBe("one ");
    const { engine, session } = engineOf(answer);
    await engine.completions.create({ prompt: "p", stop: "STOP", max_tokens: 50 });
    expect(session.tokensMade).toBe("one STOP".length);
    expect(session.running).toBe(false);
  });

  test("log-probabilities leave out tokens that lie behind it", async () => {
    const { whole } = await bothWays([258, 259, FAKE_EOS], { prompt: "p", stop: "o w", logprobs: 0 });
    expect(whole.choices[0].logprobs?.tokens).toEqual(["Hello"]);
    const behind = await bothWays([97, 261, 262, FAKE_EOS], { prompt: "p", stop: "STOP", logprobs: 0 });
    expect(behind.whole.choices[0]).toMatchObject({ text: "a", logprobs: { tokens: ["a"], text_offset: [0] } });
  });
});

describe("log-probabilities", () => {
  test("come per token with offsets, alternatives, ids and bytes", async () => {
    const { whole } = await bothWays([97, 258, FAKE_EOS], { prompt: "p", logprobs: 2 });
    const { logprobs } = whole.choices[0];
    expect(logprobs).toEqual({
      tokens: ["a", "Hello"],
      token_logprobs: [-0.25, -0.25],
      top_logprobs: [
        { a: -0.25, b: -0.5 },
        { Hello: -0.25, " world": -0.5 },
      ],
      text_offset: [0, 1],
      top: [
        [
          { id: 97, token: "a", bytes: [97], logprob: -0.25 },
          { id: 98, token: "b", bytes: [98], logprob: -0.5 },
        ],
        [
          { id: 258, token: "Hello", bytes: byteIds("Hello"), logprob: -0.25 },
          { id: 259, token: " world", bytes: byteIds(" world"), logprob: -0.5 },
        ],
      ],
    });
  });

  test("echo with max_tokens 0 scores the prompt, null for its first token", async () => {
    const { whole } = await bothWays([97], { prompt: "ab", echo: true, logprobs: 1, max_tokens: 0 });
    expect(whole.choices[0]).toMatchObject({ text: "ab", finish_reason: "length" });
    expect(whole.choices[0].logprobs).toMatchObject({
      tokens: ["<s>", "a", "b"],
      token_logprobs: [null, -0.25, -0.25],
      top_logprobs: [null, { a: -0.25 }, { b: -0.25 }],
      text_offset: [0, 0, 1],
      top: [[], [{ id: 97 }], [{ id: 98 }]],
    });
    expect(whole.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 0 });
  });

  test("echo puts the prompt before the answer and counts offsets from its start", async () => {
    const { whole } = await bothWays([...byteIds("é!"), FAKE_EOS], { prompt: "ab", echo: true, logprobs: 0 });
    expect(whole.choices[0]).toMatchObject({ text: "abé!", logprobs: { text_offset: [0, 0, 1, 2, 2, 3], top: [[], [], [], [], [], []] } });
    expect(whole.choices[0].logprobs?.tokens).toEqual(["<s>", "a", "b", "\ufffd", "\ufffd", "!"]);
    expect((await bothWays([33, FAKE_EOS], { prompt: "ab", echo: true })).whole.choices[0]).toMatchObject({ text: "ab!", logprobs: null });
  });

  test("a token named __proto__ is one like any other", async () => {
    const { whole } = await bothWays([263, FAKE_EOS], { prompt: "p", logprobs: 1 });
    const top = whole.choices[0].logprobs?.top_logprobs[0] ?? {};
    expect(Object.entries(top)).toEqual([["__proto__", -0.25]]);
    expect(Object.getPrototypeOf(top)).toBe(Object.prototype);
  });
});

describe("the context", () => {
  test("a prompt that leaves no room is refused with both numbers, before it waits", async () => {
    const { engine, session } = engineOf([97], { contextLength: 8 });
    for (const length of [8, 9]) {
      await expect(engine.completions.create({ prompt: Array.from({ length }, () => 97) })).rejects.toMatchObject({
        code: "CONTEXT.full",
        detail: { have: length, max: 8 },
      });
    }
    expect(session.ran).toEqual([]);
    const scored = await engine.completions.create({ prompt: Array.from({ length: 8 }, () => 97), echo: true, max_tokens: 0 });
    expect(scored.choices[0].text).toBe("a".repeat(8));
  });

  test("an answer is cut where the context is full", async () => {
    const { engine, session } = engineOf(byteIds("x".repeat(100)), { contextLength: 8 });
    const { choices } = await engine.completions.create({ prompt: [97, 97], max_tokens: 1e9 });
    expect(choices[0]).toMatchObject({ text: "xxxxxx", finish_reason: "length" });
    expect(session.ran[0].maxTokens).toBe(6);
  });
});
