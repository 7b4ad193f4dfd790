import { describe, expect, test } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { seededRng } from "../base/rng.ts";
import { refusal } from "../testing/refusal.ts";
import { parseChatRequest } from "./chat_request.ts";
import { parseCompletionRequest } from "./completion_request.ts";

const limits = { vocabSize: 100, freshSeed: 7 };
const messages = [{ role: "user", content: "Hi" }];

const chat = (changes: object): unknown => parseChatRequest({ messages, ...changes }, limits);
const complete = (changes: object): unknown => parseCompletionRequest({ prompt: "Hi", ...changes }, limits);

const seedOf = (seed: number): number => parseCompletionRequest({ prompt: "a", seed }, limits).sampling.seed;

describe("fields of both endpoints", () => {
  const bad: Array<[string, unknown]> = [
    ...["temperature", "top_p", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty"].flatMap((name) =>
      [Number.NaN, Infinity, -Infinity, -2.5, 11, "1", true, [], {}, 1n].map((value): [string, unknown] => [name, value]),
    ),
    ...["top_k", "seed", "max_tokens"].flatMap((name) =>
      [Number.NaN, 1.5, Infinity, 2 ** 60, "1", [1], false].map((value): [string, unknown] => [name, value]),
    ),
    ["repetition_penalty", 0],
    ["top_k", -1],
    ["max_tokens", -1],
    ["max_tokens", 0],
    ["n", 0],
    ["n", 2],
    ["n", 1e9],
    ["n", -1],
    ["n", "1"],
    ["stream", "yes"],
    ["stream", 1],
    ["stream_options", true],
    ["stream_options", { include_usage: 1 }],
    ["stream_options", { other: true }],
    ["ignore_eos", 1],
    ["model", 5],
    ["user", {}],
    ["stop", 5],
    ["stop", ""],
    ["stop", ["a", ""]],
    ["stop", ["a", 1]],
    ["stop", Array.from({ length: 17 }, () => "a")],
    ["stop", "a".repeat(1025)],
    ["logit_bias", []],
    ["logit_bias", 3],
    ["logit_bias", { 100: 1 }],
    ["logit_bias", { "-1": 1 }],
    ["logit_bias", { "1.5": 1 }],
    ["logit_bias", { " 1": 1 }],
    ["logit_bias", { a: 1 }],
    ["logit_bias", { 1: 101 }],
    ["logit_bias", { 1: Number.NaN }],
    ["logit_bias", { 1: "5" }],
    ["logit_bias", JSON.parse('{"__proto__": 5}')],
  ];

  test.each(bad)("%s refuses %o and says what to do", (name, value) => {
    for (const call of [chat, complete]) {
      const error = refusal(() => call({ [name]: value }));
      expect(error.code).toBe(`REQUEST.${name}`);
      expect(error.message).toContain(name);
      expect(error.message).toMatch(/\. (Correct|Leave)/);
      expect(error.retryable).toBe(false);
      expect(structuredClone(error.toPlain())).toEqual(error.toPlain());
    }
  });

  test.each<[string, string, readonly unknown[]]>([
    ["temperature", "a number from 0 to 2", [-0.001, 2.001, "0.7"]],
    ["top_p", "a number from 0 to 1", [-0.001, 1.001]],
    ["top_k", "an integer from 0 to 2147483647", [-1, 2 ** 31, 0.5]],
    ["min_p", "a number from 0 to 1", [-0.001, 1.001]],
    ["repetition_penalty", "a number from 0.01 to 10", [0, 1e-300, 10.001]],
    ["frequency_penalty", "a number from -2 to 2", [-2.001, 2.001]],
    ["presence_penalty", "a number from -2 to 2", [-2.001, 2.001]],
    ["seed", "an integer from -9007199254740991 to 9007199254740991", [2 ** 53, -(2 ** 53), 0.5]],
    ["max_tokens", "an integer from 1 to 9007199254740991", [0, -1]],
    ["stop", "an array of at most 16 elements", [Array.from({ length: 17 }, () => "a")]],
    ["stop[1]", "a string of at most 1024 characters", [["a", "b".repeat(1025)]]],
    ["logit_bias.7", "a number from -100 to 100", [{ 7: 100.5 }, { 7: -Infinity }]],
    ["logit_bias.100", "a token id from 0 to 99", [{ 100: 1 }]],
  ])("%s out of range is refused with its name and %s", (path, range, values) => {
    const name = /^\w+/.exec(path)?.[0] ?? "";
    for (const call of [chat, complete]) {
      for (const value of values) {
        const error = refusal(() => call({ [name]: value }));
        expect(error).toMatchObject({ code: `REQUEST.${name}`, detail: { param: path } });
        expect(error.message).toContain(`${path} must be `);
        expect(error.message).toContain(range);
      }
    }
  });

  test("log-probabilities out of range are refused with field and range", () => {
    const range = "must be an integer from 0 to 20, got 21";
    expect(refusal(() => complete({ logprobs: 21 })).message).toContain(`logprobs ${range}`);
    expect(refusal(() => chat({ logprobs: true, top_logprobs: 21 })).message).toContain(`top_logprobs ${range}`);
  });

  test("the ends of ranges pass, and a temperature too small to divide by is greedy", () => {
    const low = { temperature: 1e-6, top_p: 0, top_k: 0, min_p: 0, repetition_penalty: 0.01, logit_bias: { 0: -100 } };
    const high = { temperature: 2, top_p: 1, top_k: 2 ** 31 - 1, min_p: 1, repetition_penalty: 10, logit_bias: { 99: 100 } };
    expect(complete(low)).toMatchObject({ sampling: { temperature: 1e-6, repetitionPenalty: 0.01 } });
    expect(complete(high)).toMatchObject({ sampling: { temperature: 2, topK: 2 ** 31 - 1, minP: 1 } });
    for (const temperature of [1e-7, 5e-324, 0, -0]) expect(complete({ temperature })).toMatchObject({ sampling: { temperature: 0 } });
  });

  test("more than one choice is refused with the reason", () => {
    for (const call of [chat, complete])
      expect(refusal(() => call({ n: 2 })).message).toContain("n must be 1 (this engine gives one choice a call), got 2");
  });

  test("null and undefined are OpenAI's defaults", () => {
    const sampling = ["temperature", "top_p", "top_k", "min_p", "seed", "stop", "logit_bias"];
    const names = [...sampling, "max_tokens", "n", "stream", "stream_options", "model", "user"];
    for (const value of [null, undefined]) {
      const changes = Object.fromEntries(names.map((name) => [name, value]));
      expect(chat(changes)).toMatchObject({ sampling: { temperature: 1, topP: 1, topK: 0, minP: 0, seed: 7 }, stop: [], stream: false });
      expect(complete(changes)).toMatchObject({ maxTokens: 16, logprobs: undefined, echo: false });
    }
  });

  test("values arrive as they were given", () => {
    const changes = {
      temperature: 0.7,
      top_p: 0.9,
      top_k: 40,
      min_p: 0.05,
      repetition_penalty: 1.1,
      frequency_penalty: -2,
      presence_penalty: 2,
      logit_bias: { 5: -100, 99: 1.5 },
      seed: 42,
      stop: ["a", "b"],
      ignore_eos: true,
      stream: true,
      stream_options: { include_usage: true },
      n: 1,
      max_tokens: 5,
      model: "any",
      user: "me",
    };
    const expected = {
      sampling: {
        temperature: 0.7,
        topP: 0.9,
        topK: 40,
        minP: 0.05,
        repetitionPenalty: 1.1,
        frequencyPenalty: -2,
        presencePenalty: 2,
        logitBias: new Map([
          [5, -100],
          [99, 1.5],
        ]),
        seed: 42,
      },
      stop: ["a", "b"],
      ignoreEos: true,
      stream: true,
      includeUsage: true,
      maxTokens: 5,
    };
    expect(chat(changes)).toMatchObject(expected);
    expect(complete(changes)).toMatchObject(expected);
    expect(complete({ stop: "x" })).toMatchObject({ stop: ["x"] });
  });

  test("seeds of any size and sign fold into 32 bits, small ones unchanged", () => {
    expect(seedOf(0)).toBe(0);
    expect(seedOf(2 ** 32 - 1)).toBe(2 ** 32 - 1);
    const folded = [2 ** 32, 2 ** 33, -1, -5, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER].map(seedOf);
    for (const seed of folded) expect(seed).toBe(seed >>> 0);
    expect(new Set([...folded, 0]).size).toBe(folded.length + 1);
  });
});

describe("keys", () => {
  test.each(["__proto__", "constructor", "prototype", "toString", "best_of", "tools", "response_format", "_internal", ""])(
    "%s is refused by both endpoints",
    (key) => {
      const completion = JSON.parse(`{"prompt": "a", "${key}": 1}`) as unknown;
      expect(refusal(() => parseCompletionRequest(completion, limits)).code).toBe(`REQUEST.${key}`);
      expect(refusal(() => parseChatRequest(JSON.parse(`{"messages": [], "${key}": 1}`), limits)).code).toBe(`REQUEST.${key}`);
    },
  );

  test("inherited fields do not count", () => {
    const request = Object.create({ prompt: "inherited" }) as object;
    expect(refusal(() => parseCompletionRequest(request, limits)).code).toBe("REQUEST.request");
    const { prototype } = class {
      get prompt(): string {
        return "a";
      }
    };
    expect(refusal(() => parseCompletionRequest(prototype, limits)).code).toMatch(/^REQUEST\./);
  });

  test("symbols are refused", () => {
    expect(refusal(() => complete({ [Symbol("x")]: 1 })).code).toBe("REQUEST.Symbol(x)");
  });

  test.each([null, undefined, 5, "text", [], [messages], new Map(), () => 1])("%o is no request", (value) => {
    expect(refusal(() => parseChatRequest(value, limits)).code).toBe("REQUEST.request");
    expect(refusal(() => parseCompletionRequest(value, limits)).code).toBe("REQUEST.request");
  });

  test("each field is read once", () => {
    let reads = 0;
    const request = {
      prompt: "a",
      get temperature() {
        return ++reads === 1 ? 0.5 : Number.NaN;
      },
    };
    expect(parseCompletionRequest(request, limits).sampling.temperature).toBe(0.5);
    expect(reads).toBe(1);
  });
});

describe("completions", () => {
  test("prompts are strings or ids of the vocabulary", () => {
    expect(complete({ prompt: "" })).toMatchObject({ prompt: "" });
    expect(complete({ prompt: [0, 99] })).toMatchObject({ prompt: [0, 99] });
    for (const prompt of [[], [100], [-1], [1.5], ["a"], [Number.NaN], [[1]], null, 5, {}, undefined, Array.from({ length: 3 })]) {
      expect(refusal(() => complete({ prompt })).code).toBe("REQUEST.prompt");
    }
  });
  test("max_tokens 0 only scores, so it needs echo", () => {
    expect(complete({ max_tokens: 0, echo: true, logprobs: 5 })).toMatchObject({ maxTokens: 0, echo: true, logprobs: 5 });
    expect(refusal(() => complete({ max_tokens: 0 })).code).toBe("REQUEST.max_tokens");
  });
  test.each([-1, 101, 1.5, true, "5"])("logprobs %o is refused", (logprobs) => {
    expect(refusal(() => complete({ logprobs })).code).toBe("REQUEST.logprobs");
  });
});

test("random requests give a parse or a REQUEST error, never anything else", () => {
  const rng = seededRng(11);
  const names = ["prompt", "messages", "temperature", "top_k", "n", "stop", "logit_bias", "seed", "stream", "logprobs", "echo", "zzz"];
  const pick = <T>(list: readonly T[]): T => list[rng.below(list.length)];
  const value = (depth: number): unknown => {
    const leaves = [
      null,
      undefined,
      0,
      -0,
      1,
      -1,
      1.5,
      1e9,
      Number.NaN,
      Infinity,
      "",
      "a",
      "__proto__",
      true,
      false,
      5n,
      Symbol("s"),
      (): number => 1,
    ];
    if (depth > 2 || rng.unit() < 0.6) return pick(leaves);
    if (rng.unit() < 0.5) return Array.from({ length: rng.below(4) }, () => value(depth + 1));
    return Object.fromEntries(
      Array.from({ length: rng.below(4) }, () => [pick([...names, "role", "content", "type", "text"]), value(depth + 1)]),
    );
  };
  let refused = 0;
  for (let i = 0; i < 20_000; i++) {
    const request = Object.fromEntries(Array.from({ length: rng.below(5) }, () => [pick(names), value(0)]));
    if (rng.unit() < 0.5) request["prompt"] = "a";
    for (const parse of [parseChatRequest, parseCompletionRequest]) {
      try {
        parse(request, limits);
      } catch (error) {
        refused++;
        if (!(error instanceof ShaderloomError) || !error.code.startsWith("REQUEST.")) throw error;
      }
    }
  }
  expect(refused).toBeGreaterThan(20_000);
  expect(refused).toBeLessThan(40_000);
});
