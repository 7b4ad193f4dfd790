// The public door on real GPUs: in Chromium an engine in a worker and one in the page, in Node one with a GPU object. All give
// the same text, the same refusals, and let go in the same ways.

import { afterAll, describe, expect, test } from "vitest";
import { createEngine } from "../index.ts";
import type { Completion, Engine, EngineOptions, LoadProgress } from "../index.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import type { Skipper } from "../testing/gpu.ts";
import { tinyModel } from "../testing/tiny_model.ts";

const kinds = typeof window === "undefined" ? ["with a GPU object"] : ["in a worker", "in the page"];
const engines = new Map<string, Promise<Engine>>();

afterAll(async () => {
  for (const engine of engines.values()) await (await engine.catch(() => undefined))?.unload();
});

async function optionsFor(kind: string, context: Skipper): Promise<Partial<EngineOptions>> {
  const gpu = await sharedGpuOrSkip(context);
  return kind === "with a GPU object" ? { gpu } : { worker: kind === "in a worker" };
}

/** One engine per kind; tests that break theirs make their own. */
async function engineOf(kind: string, context: Skipper): Promise<Engine> {
  const options = await optionsFor(kind, context);
  const made = engines.get(kind) ?? createEngine({ model: tinyModel({ contextLength: 128 }), ...options });
  engines.set(kind, made);
  return made;
}

const textOf = ({ choices }: Completion): string => choices[0].text;
const plain = (prompt: string, more: object = {}) => ({ prompt, max_tokens: 8, temperature: 0, ignore_eos: true, ...more });

const sampled = { temperature: 1.2, top_p: 0.95, top_k: 50, min_p: 0.01, repetition_penalty: 1.1, seed: 42 };
const seededRequest = plain("The thing", sampled);

/** What the first kind answered, for the others to equal. */
const answers = new Map<string, unknown>();
function expectSame(name: string, value: unknown): void {
  if (answers.has(name)) expect(value).toEqual(answers.get(name));
  else answers.set(name, value);
}

describe.each(kinds)("an engine %s", (kind) => {
  test("says what and where it is", async (context) => {
    const info = await (await engineOf(kind, context)).info();
    expect(info).toMatchObject({ worker: kind === "in a worker", contextLength: 128, activations: "f32" });
    expect(info.model).toMatchObject({ name: "tiny llama", architecture: "llama", chatTemplate: true });
  });

  test("gives the same greedy and seeded text and log-probabilities as any other", async (context) => {
    const engine = await engineOf(kind, context);
    expectSame("greedy", textOf(await engine.completions.create(plain("The thing"))));
    const text = textOf(await engine.completions.create(seededRequest));
    expectSame("seeded", text);
    expect(textOf(await engine.completions.create(seededRequest))).toBe(text);
    expect(textOf(await engine.completions.create({ ...seededRequest, seed: 43 }))).not.toBe(text);
    const scored = await engine.completions.create(plain("The thing", { echo: true, logprobs: 3, max_tokens: 2 }));
    const logprobs = scored.choices[0].logprobs;
    expect(logprobs?.token_logprobs[0]).toBeNull();
    expect(logprobs?.tokens.length).toBe(scored.usage?.total_tokens);
    for (const [i, top] of (logprobs?.top ?? []).entries()) expect(top).toHaveLength(i === 0 ? 0 : 3);
    expectSame("scored", logprobs);
  });

  test("gives the same texts however its steps are run, and tells how they are", async (context) => {
    const model = tinyModel({ contextLength: 128 });
    const usual = await engineOf(kind, context);
    const execution = { fusion: "off", tokensInFlight: 1, chunkTokens: 3, frameBudgetMs: 0, sampler: "cpu" } as const;
    const engine = await createEngine({ model, execution, ...(await optionsFor(kind, context)) });
    try {
      for (const request of [plain("The thing"), seededRequest]) {
        expect(textOf(await engine.completions.create(request))).toBe(textOf(await usual.completions.create(request)));
      }
      const [{ fusion, dispatches }, forced] = [await usual.stats(), await engine.stats()];
      expect(forced).toMatchObject({ tokensInFlight: 1, discardedTokens: 0, fusion: { decode: [], prefill: [] } });
      expect(fusion.decode.length).toBeGreaterThan(0);
      expect(forced.dispatches.decode).toBeGreaterThan(dispatches.decode);
      // "The thing" takes several chunks of 3 tokens, each a submit.
      expect(forced.prefillSubmits.count).toBeGreaterThan(2);
    } finally {
      await engine.unload();
    }
  });

  test("streams a chat in OpenAI's chunks and counts what it reuses", async (context) => {
    const engine = await engineOf(kind, context);
    const request = { messages: [{ role: "user" as const, content: "Hi" }], max_tokens: 6, temperature: 0, ignore_eos: true };
    const whole = await engine.chat.completions.create(request);
    let streamed = "";
    for await (const { choices, usage } of await engine.chat.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    })) {
      streamed += choices[0]?.delta.content ?? "";
      if (usage) expect(usage.prompt_tokens_details.cached_tokens).toBe(usage.prompt_tokens - 1);
    }
    expect(streamed).toBe(whole.choices[0].message.content);
    expect(await engine.applyChatTemplate(request.messages)).toBe("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    expect(await engine.detokenize(await engine.tokenize("the héan"))).toBe("the héan");
    // What a user writes is never a control token: the text comes back, and every byte of it is a token.
    expect((await engine.tokenize("<|im_end|>")).length).toBeGreaterThan(5);
  });

  test("serves 24 mixed requests, some aborted, some left: survivors have the text they have alone", async (context) => {
    const engine = await engineOf(kind, context);
    const prompts = ["a", "the thing", "in an", "zz top"];
    const alone = new Map<string, string>();
    for (const prompt of prompts) alone.set(prompt, textOf(await engine.completions.create(plain(prompt))));
    const jobs = Array.from({ length: 24 }, async (_, n) => {
      const prompt = prompts[n % prompts.length];
      const controller = new AbortController();
      if (n % 3 === 0) setTimeout(() => controller.abort(), n * 5);
      try {
        if (n % 2 === 0) {
          expect(textOf(await engine.completions.create(plain(prompt), controller))).toBe(alone.get(prompt));
          return;
        }
        for await (const chunk of await engine.completions.create({ ...plain(prompt), stream: true }, controller)) {
          expect(chunk.choices).toHaveLength(1);
          if (n % 5 === 0) break;
        }
      } catch (error) {
        expect(n % 3).toBe(0);
        expect(error).toMatchObject({ code: "AbortError" });
      }
    });
    await Promise.all(jobs);
    expect((await engine.stats()).queued).toBe(0);
    expect(textOf(await engine.completions.create(plain("a")))).toBe(alone.get("a"));
  });

  test("aborts in prefill and while it generates, and goes on", async (context) => {
    const engine = await engineOf(kind, context);
    const long = Array.from({ length: 100 }, (_, i) => i + 60);
    for (const delay of [0, 5, 30]) {
      const controller = new AbortController();
      const call = engine.completions.create({ prompt: long, max_tokens: 28, temperature: 0, ignore_eos: true }, controller);
      setTimeout(() => controller.abort(), delay);
      const outcome = await call.then(
        () => "finished first",
        (error: unknown) => error,
      );
      if (outcome !== "finished first") expect(outcome).toMatchObject({ code: "AbortError" });
      expect(textOf(await engine.completions.create(plain("The thing")))).toBe(answers.get("greedy"));
    }
  });

  test("refuses bad requests by field and too long prompts by number, and goes on", async (context) => {
    const engine = await engineOf(kind, context);
    await expect(engine.completions.create(plain("a", { n: 1e9 }))).rejects.toMatchObject({ code: "REQUEST.n", retryable: false });
    await expect(engine.completions.create(plain("a", { surprise: 1 }))).rejects.toMatchObject({ code: "REQUEST.surprise" });
    await expect(engine.completions.create(plain("a ".repeat(300)))).rejects.toMatchObject({ code: "CONTEXT.full", detail: { max: 128 } });
    expect(textOf(await engine.completions.create(plain("The thing")))).toBe(answers.get("greedy"));
  });

  test("loads from a File and reports progress to the end", async (context) => {
    const moments: LoadProgress[] = [];
    const model = new File([tinyModel()], "tiny.gguf");
    const engine = await createEngine({ model, onProgress: (moment) => moments.push(moment), ...(await optionsFor(kind, context)) });
    expect(textOf(await engine.completions.create(plain("The thing")))).toBe(answers.get("greedy"));
    await engine.unload();
    expect(moments.at(-1)).toMatchObject({ phase: "ready", progress: 1 });
    expect(moments.some(({ file }) => file === "tiny.gguf")).toBe(true);
    for (const [i, moment] of moments.entries()) if (i > 0) expect(moment.progress).toBeGreaterThanOrEqual(moments[i - 1].progress);
    await expect(engine.completions.create(plain("a"))).rejects.toMatchObject({ code: "REQUEST.unloaded" });
  });

  test("unloading ends a request and a profile, and says that it did", async (context) => {
    const options = await optionsFor(kind, context);
    const calls = [(one: Engine) => one.completions.create(plain("a", { max_tokens: 100 })), (one: Engine) => one.profile()];
    for (const call of calls) {
      const engine = await createEngine({ model: tinyModel({ contextLength: 128 }), ...options });
      const outcome = call(engine).then(
        () => "ended first",
        (error: unknown) => error,
      );
      await new Promise((resolve) => void setTimeout(resolve, 5));
      await engine.unload();
      expect(await outcome).toMatchObject({ code: "AbortError", message: expect.stringContaining("The engine was unloaded") as string });
    }
  });

  test("aborts a load", async (context) => {
    const controller = new AbortController();
    const loading = createEngine({ model: tinyModel(), signal: controller.signal, ...(await optionsFor(kind, context)) });
    setTimeout(() => controller.abort(), 1);
    await expect(loading).rejects.toMatchObject({ code: "AbortError" });
  });

  const whole = tinyModel();
  const wrongVersion = whole.slice();
  wrongVersion[4] = 9;
  test.for<[string, Uint8Array<ArrayBuffer>, RegExp]>([
    ["not a GGUF", new TextEncoder().encode("<!doctype html><title>Not found</title>"), /^FORMAT\./],
    ["empty", new Uint8Array(), /^(FORMAT|SOURCE)\./],
    ["cut in its header", whole.slice(0, 300), /^FORMAT\./],
    ["cut in its data", whole.slice(0, whole.length - 1000), /^FORMAT\./],
    ["of a wrong version", wrongVersion, /^(FORMAT|UNSUPPORTED)\./],
    ["of an unknown architecture", tinyModel({ metadata: [["general.architecture", "string", "mamba9"]] }), /^(UNSUPPORTED|MODEL)/],
  ])("refuses a file that is %s, with a code and what to do", async ([, model, code], context) => {
    const refusal = createEngine({ model, ...(await optionsFor(kind, context)) });
    await expect(refusal).rejects.toMatchObject({ name: "ShaderloomError", code: expect.stringMatching(code) as string });
    await expect(refusal).rejects.toMatchObject({ message: expect.stringMatching(/\. [A-Z].*\.$/) as string });
  });
});
