import { describe, expect, test } from "vitest";
import type { ChatTemplate, TemplateOptions } from "../text/chat_template.ts";
import { compileChatTemplate } from "../text/chat_template.ts";
import type { Spans } from "../text/added_tokens.ts";
import { FAKE_BOS, FAKE_EOS, byteIds, fakeSession, fakeTokenizer } from "../testing/fake_session.ts";
import type { FakeOptions } from "../testing/fake_session.ts";
import { createSessionEngine } from "./session_engine.ts";
import type { ChatCompletionChunk, ChatCompletionRequest } from "./types.ts";

const hi = { messages: [{ role: "user" as const, content: "Hi" }] };

/** Writes `role:content;` per message and records what it was given. */
function recordingTemplate(source = "") {
  const given: Array<{ messages: readonly unknown[]; options: TemplateOptions | undefined }> = [];
  const template: ChatTemplate = {
    source,
    render: (messages) => messages.map(({ role, content }) => `${role}:${JSON.stringify(content).slice(1, -1)};`).join(""),
    renderMarked(messages, options) {
      given.push({ messages, options });
      return { text: template.render(messages), untrusted: [] };
    },
  };
  return { given, template };
}

function engineOf(answer: readonly number[], options: Partial<FakeOptions> = {}) {
  const session = fakeSession({ answer: () => answer, chatTemplate: recordingTemplate().template, ...options });
  return { session, engine: createSessionEngine(session) };
}

async function streamOf(answer: readonly number[], request: ChatCompletionRequest): Promise<ChatCompletionChunk[]> {
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of await engineOf(answer).engine.chat.completions.create({ ...request, stream: true })) chunks.push(chunk);
  return chunks;
}

/** An encoder that knows `<s>` at the start of a template's own text. */
const mixed = (text: string, untrusted: Spans): number[] =>
  text.startsWith("<s>") && untrusted[0] !== 0 ? [FAKE_BOS, ...byteIds(text.slice(3))] : byteIds(text);

describe("an answer", () => {
  test("whole, in OpenAI's shape", async () => {
    const { engine } = engineOf([...byteIds("Hé"), FAKE_EOS]);
    const answer = await engine.chat.completions.create(hi);
    expect(answer).toMatchObject({
      object: "chat.completion",
      model: "fake",
      choices: [{ index: 0, message: { role: "assistant", content: "Hé" }, logprobs: null, finish_reason: "stop" }],
      usage: { prompt_tokens: byteIds("user:Hi;").length + 1, completion_tokens: 4 },
    });
    expect(answer.id).toMatch(/^chatcmpl-/);
  });

  test("in chunks: the role, text, the reason, and usage alone where it was asked for", async () => {
    const chunks = await streamOf([...byteIds("é!"), FAKE_EOS], { ...hi, stream_options: { include_usage: true } });
    expect(chunks.map(({ choices }) => choices[0]?.delta)).toEqual([
      { role: "assistant", content: "" },
      { content: "é" },
      { content: "!" },
      {},
      undefined,
    ]);
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([null, null, null, "stop", undefined]);
    expect(chunks.map(({ usage }) => usage?.completion_tokens ?? usage)).toEqual([null, null, null, null, 4]);
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    const plain = await streamOf([...byteIds("é!"), FAKE_EOS], hi);
    expect(plain).toHaveLength(4);
    expect(plain.every((chunk) => !("usage" in chunk))).toBe(true);
  });

  test("takes what is left of the context unless told less", async () => {
    const { engine, session } = engineOf(byteIds("x".repeat(300)), { contextLength: 40 });
    const prompt = byteIds("user:Hi;").length + 1;
    expect((await engine.chat.completions.create(hi)).choices[0]).toMatchObject({ finish_reason: "length" });
    await engine.chat.completions.create({ ...hi, max_tokens: 5 });
    await engine.chat.completions.create({ ...hi, max_completion_tokens: 6 });
    expect(session.ran.map(({ maxTokens }) => maxTokens)).toEqual([40 - prompt, 5, 6]);
    const long = { messages: [{ role: "user" as const, content: "x".repeat(50) }] };
    await expect(engine.chat.completions.create(long)).rejects.toMatchObject({ code: "CONTEXT.full", detail: { max: 40 } });
  });

  test("tells what a policy dropped, however it ends, and knows no end of the context", async () => {
    const kvUsage = { policy: "window", keptTokens: 32, droppedTokens: 20 } as const;
    const { engine, session } = engineOf(byteIds("x".repeat(300)), { contextLength: 40, kvUsage });
    const long = { messages: [{ role: "user" as const, content: "x".repeat(50) }] };
    const kv = { policy: "window", kept_tokens: 32, dropped_tokens: 20 };
    expect((await engine.chat.completions.create(long)).usage.kv).toEqual(kv);
    expect((await engine.chat.completions.create({ ...long, stop: "xx" })).usage.kv).toEqual(kv);
    expect(session.ran.map(({ maxTokens }) => maxTokens)).toEqual([40, 40]);
    let usage: unknown;
    const request = { ...long, max_tokens: 60, stream: true, stream_options: { include_usage: true } } as const;
    for await (const chunk of await engine.chat.completions.create(request)) usage = chunk.usage;
    expect(usage).toMatchObject({ kv, completion_tokens: 60 });
    expect(await engine.info()).toMatchObject({ evict: "window" });
    const plain = engineOf(byteIds("x")).engine;
    expect((await plain.chat.completions.create(hi)).usage).not.toHaveProperty("kv");
    expect(await plain.info()).not.toHaveProperty("evict");
  });

  test("starts without the space that SentencePiece puts before a word", async () => {
    const answer = [32, 97, 32, 98, FAKE_EOS];
    const { engine } = engineOf(answer, { tokenizer: fakeTokenizer({ stripsLeadingSpace: true }) });
    expect((await engine.chat.completions.create(hi)).choices[0].message.content).toBe("a b");
    expect((await engine.completions.create({ prompt: "p" })).choices[0].text).toBe(" a b");
  });

  test("has log-probabilities per token, with bytes where a token is part of a character", async () => {
    const [first, second] = byteIds("é");
    const { engine } = engineOf([first, second, FAKE_EOS]);
    const { logprobs, message } = (await engine.chat.completions.create({ ...hi, logprobs: true, top_logprobs: 1 })).choices[0];
    expect(message.content).toBe("é");
    expect(logprobs?.content).toEqual([
      { token: "\ufffd", bytes: [first], logprob: -0.25, top_logprobs: [{ token: "\ufffd", bytes: [first], logprob: -0.25 }] },
      { token: "\ufffd", bytes: [second], logprob: -0.25, top_logprobs: [{ token: "\ufffd", bytes: [second], logprob: -0.25 }] },
    ]);
    const chunks = await streamOf([first, second, FAKE_EOS], { ...hi, logprobs: true, top_logprobs: 1 });
    expect(chunks.flatMap(({ choices }) => choices[0].logprobs?.content ?? [])).toEqual(logprobs?.content);
  });

  test("a control token that is no end has its name and no bytes", async () => {
    const { engine } = engineOf([FAKE_EOS, 97]);
    const answer = await engine.chat.completions.create({ ...hi, logprobs: true, ignore_eos: true, max_tokens: 2 });
    expect(answer.choices[0].logprobs?.content.map(({ token, bytes }) => [token, bytes])).toEqual([
      ["<|end|>", null],
      ["a", [97]],
    ]);
  });
});

describe("the prompt", () => {
  test("is made by the template with the request's arguments and the model's tokens", async () => {
    const { given, template } = recordingTemplate();
    const { engine } = engineOf([FAKE_EOS], { chatTemplate: template });
    await engine.chat.completions.create({ ...hi, chat_template_kwargs: { enable_thinking: false } });
    expect(given[0]).toEqual({
      messages: hi.messages,
      options: { addGenerationPrompt: true, kwargs: { enable_thinking: false }, bosToken: "<s>", eosToken: "<|end|>" },
    });
    expect(await engine.applyChatTemplate(hi.messages, { enable_thinking: true })).toBe("user:Hi;");
    expect(given[1].options?.kwargs).toEqual({ enable_thinking: true });
  });

  test("calls developers system where the template does not know them", async () => {
    const messages = [{ role: "developer" as const, content: "Be kind." }];
    for (const [source, role] of [
      ["{{ messages }}", "system"],
      ["{% if role == 'developer' %}", "developer"],
    ]) {
      const { given, template } = recordingTemplate(source);
      await engineOf([FAKE_EOS], { chatTemplate: template }).engine.applyChatTemplate(messages);
      expect(given[0].messages).toEqual([{ role, content: "Be kind." }]);
    }
  });

  test("begins with one beginning of sequence, written by the template or not", async () => {
    const tokenizer = fakeTokenizer();
    for (const prefix of ["<s>", ""]) {
      const template: ChatTemplate = { source: "", render: () => "", renderMarked: () => ({ text: `${prefix}Hi`, untrusted: [] }) };
      for (const addBos of [true, false]) {
        const { engine, session } = engineOf([FAKE_EOS], {
          chatTemplate: template,
          tokenizer: { ...tokenizer, addBos, encodeMixed: mixed },
        });
        await engine.chat.completions.create(hi);
        const begins = prefix !== "" || addBos;
        expect(session.ran[0].promptIds).toEqual([...(begins ? [FAKE_BOS] : []), 72, 105]);
      }
    }
  });

  test("tells the tokenizer which text is the user's", async () => {
    let seen: [string, Spans] | undefined;
    const tokenizer = { ...fakeTokenizer(), encodeMixed: (text: string, spans: Spans) => ((seen = [text, spans]), byteIds(text)) };
    const template = await compileChatTemplate("{% for m in messages %}<u>{{ m.content }}</u>{% endfor %}");
    await engineOf([FAKE_EOS], { chatTemplate: template, tokenizer }).engine.chat.completions.create(hi);
    expect(seen).toEqual(["<u>Hi</u>", [3, 5]]);
  });

  test("a model without a template says what to do; a hostile one is a typed error and the engine goes on", async () => {
    const none = fakeSession({ answer: () => [FAKE_EOS] });
    const bare = createSessionEngine(none);
    for (const call of [() => bare.chat.completions.create(hi), () => bare.applyChatTemplate(hi.messages)]) {
      await expect(call()).rejects.toMatchObject({
        code: "TEMPLATE.none",
        message: expect.stringContaining("completions.create") as string,
      });
    }
    const chatTemplate = await compileChatTemplate("{% for i in range(10000000) %}x{% endfor %}");
    const { engine } = engineOf([97, FAKE_EOS], { chatTemplate });
    await expect(engine.chat.completions.create(hi)).rejects.toMatchObject({ code: expect.stringMatching(/^TEMPLATE\./) as string });
    expect((await engine.completions.create({ prompt: "p" })).choices[0].text).toBe("a");
  });
});
