import { describe, expect, test } from "vitest";
import { refusal } from "../testing/refusal.ts";
import { parseChatRequest } from "./chat_request.ts";

const limits = { vocabSize: 100, freshSeed: 7 };
const messages = [{ role: "user", content: "Hi" }];
const chat = (changes: object): unknown => parseChatRequest({ messages, ...changes }, limits);

describe("chat", () => {
  test("messages are copied into plain data", () => {
    const given = [
      { role: "system", content: "s" },
      {
        role: "user",
        content: [
          { type: "text", text: "a" },
          { type: "text", text: "b" },
        ],
        name: "me",
      },
      { role: "assistant", content: null, tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: "{}" } }] },
      { role: "tool", content: "4", tool_call_id: "1" },
      { role: "assistant", content: "c", reasoning_content: "r" },
    ];
    const parsed = parseChatRequest({ messages: given }, limits).messages;
    expect(parsed).toEqual([given[0], { role: "user", content: "a\nb", name: "me" }, given[2], given[3], given[4]]);
    expect(parsed[0]).not.toBe(given[0]);
  });

  const bad: Array<[string, unknown]> = [
    ["messages", undefined],
    ["messages", []],
    ["messages", "Hi"],
    ["messages", { length: 1, 0: messages[0] }],
    ["messages[0]", [null]],
    ["messages[0]", ["Hi"]],
    ["messages[0].role", [{ role: "root", content: "a" }]],
    ["messages[0].role", [{ content: "a" }]],
    ["messages[0].role", [{ role: ["user"], content: "a" }]],
    ["messages[0].content", [{ role: "user", content: null }]],
    ["messages[0].content", [{ role: "user" }]],
    ["messages[0].content", [{ role: "user", content: 5 }]],
    ["messages[0].content[0].type", [{ role: "user", content: [{ type: "image_url", text: "a" }] }]],
    ["messages[0].content[0].image_url", [{ role: "user", content: [{ type: "text", text: "a", image_url: {} }] }]],
    ["messages[0].content[0].type", [{ role: "user", content: [{ text: "a" }] }]],
    ["messages[0].content[0].text", [{ role: "user", content: [{ type: "text", text: 5 }] }]],
    ["messages[1].secret", [messages[0], { role: "user", content: "a", secret: 1 }]],
    ["messages[0].__proto__", [JSON.parse('{"role":"user","content":"a","__proto__":{"x":1}}')]],
    ["messages[0].name", [{ role: "user", content: "a", name: 5 }]],
    ["messages[0].tool_calls", [{ role: "assistant", content: null, tool_calls: {} }]],
    ["messages[0].tool_calls[0].function", [{ role: "assistant", content: null, tool_calls: [{}] }]],
    ["messages[0].tool_calls[0].function.name", [{ role: "assistant", content: null, tool_calls: [{ function: { name: 5 } }] }]],
    ["messages[0].tool_calls[0].type", [{ role: "assistant", content: null, tool_calls: [{ type: "x", function: { name: "f" } }] }]],
    [
      "messages[0].tool_calls[0].function.arguments.__proto__",
      [
        {
          role: "assistant",
          content: null,
          tool_calls: [{ function: { name: "f", arguments: JSON.parse('{"__proto__":1}') as unknown } }],
        },
      ],
    ],
  ];
  test.each(bad)("%s names the place", (path, value) => {
    const error = refusal(() => parseChatRequest({ messages: value }, limits));
    expect(error.code).toBe("REQUEST.messages");
    expect(error.detail["param"]).toBe(path);
  });

  test("a part that is no text is refused by its type, which the message names", () => {
    for (const part of [
      { type: "image_url", image_url: { url: "data:," } },
      { type: "input_audio", input_audio: {} },
    ]) {
      const error = refusal(() => parseChatRequest({ messages: [{ role: "user", content: [part] }] }, limits));
      expect(error.code).toBe("REQUEST.messages");
      expect(error.detail["param"]).toBe("messages[0].content[0].type");
      expect(error.message).toContain(`must be "text", the only type of content part supported here, got "${part.type}"`);
    }
  });

  test("top_logprobs needs logprobs; both names of the token limit agree", () => {
    expect(chat({ logprobs: true })).toMatchObject({ logprobs: 0 });
    expect(chat({ logprobs: true, top_logprobs: 20 })).toMatchObject({ logprobs: 20 });
    expect(chat({ logprobs: false })).toMatchObject({ logprobs: undefined });
    expect(refusal(() => chat({ top_logprobs: 3 })).code).toBe("REQUEST.top_logprobs");
    expect(refusal(() => chat({ logprobs: true, top_logprobs: 21 })).code).toBe("REQUEST.top_logprobs");
    expect(chat({ max_completion_tokens: 9 })).toMatchObject({ maxTokens: 9 });
    expect(chat({ max_completion_tokens: 9, max_tokens: 9 })).toMatchObject({ maxTokens: 9 });
    expect(refusal(() => chat({ max_completion_tokens: 9, max_tokens: 8 })).code).toBe("REQUEST.max_tokens");
    expect(chat({})).toMatchObject({ maxTokens: undefined });
  });

  test("template arguments are plain data and cannot replace the engine's own", () => {
    expect(chat({ chat_template_kwargs: { enable_thinking: false, deep: { list: [1, null, "a"] } } })).toMatchObject({
      templateKwargs: { enable_thinking: false, deep: { list: [1, null, "a"] } },
    });
    let deep: unknown = 1;
    for (let i = 0; i < 50; i++) deep = [deep];
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    for (const kwargs of [
      5,
      [],
      { messages: [] },
      { add_generation_prompt: false },
      { bos_token: "x" },
      { f: () => 1 },
      { d: new Date() },
      { n: Number.NaN },
      { deep },
      cycle,
      JSON.parse('{"__proto__": 1}'),
      JSON.parse('{"a": {"__proto__": 1}}'),
    ]) {
      expect(refusal(() => chat({ chat_template_kwargs: kwargs })).code).toBe("REQUEST.chat_template_kwargs");
    }
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
