// What a folder says of text: tokenizer, chat template and the ids that end an answer; and what an estimate says of one that is quantized.

import { describe, expect, test } from "vitest";
import { asFiles, tinyConfig, tinyTensors, writeFolder } from "../testing/safetensors_writer.ts";
import { typedError } from "../testing/typed_error.ts";
import { openSource } from "../weights/source.ts";
import { estimateSession } from "./estimate.ts";
import { openModel } from "./model_files.ts";
import type { FolderText } from "./opened_model.ts";

const noGpu = { requestAdapter: async () => null } as unknown as GPU;

function bytes(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
}

/** The text of a small folder with more files, or others. */
async function textOf(files: Record<string, unknown>, config: object = {}): Promise<FolderText> {
  const folder = writeFolder(tinyTensors(), 1, { ...tinyConfig, ...config });
  const more = Object.fromEntries(Object.entries(files).map(([name, value]) => [name, bytes(value)]));
  const model = await openModel(asFiles({ ...folder, ...more }), { open: (location) => openSource(location) });
  const text = await model.readText?.();
  if (text === undefined) throw new Error("no text");
  return text;
}

describe("the text of a folder", () => {
  test("chat templates: a file of its own before the one in tokenizer_config.json", async () => {
    expect((await textOf({})).chatTemplate).toBeUndefined();
    expect((await textOf({ "tokenizer_config.json": { chat_template: "a" } })).chatTemplate).toBe("a");
    expect((await textOf({ "tokenizer_config.json": { chat_template: "a" }, "chat_template.jinja": "b" })).chatTemplate).toBe("b");
    const named = [
      { name: "tool_use", template: "t" },
      { name: "default", template: "d" },
    ];
    expect((await textOf({ "tokenizer_config.json": { chat_template: named } })).chatTemplate).toBe("d");
    for (const odd of [5, null, [], [5], { default: "x" }]) {
      expect((await textOf({ "tokenizer_config.json": { chat_template: odd } })).chatTemplate).toBeUndefined();
    }
  });

  test("ids that end an answer, of config.json and generation_config.json, one or several", async () => {
    expect((await textOf({}, { eos_token_id: 2 })).endIds).toEqual([2]);
    expect((await textOf({ "generation_config.json": { eos_token_id: [7, 8] } }, { eos_token_id: 2 })).endIds).toEqual([2, 7, 8]);
    for (const odd of ["2", -1, 1.5, null, [null, "x"], { a: 1 }]) {
      expect((await textOf({ "generation_config.json": { eos_token_id: odd } })).endIds).toEqual([]);
    }
  });

  test("files of text that are no JSON", async () => {
    expect((await typedError(textOf({ "tokenizer.json": "{" }))).code).toBe("FORMAT.json");
    expect((await typedError(textOf({ "generation_config.json": "nothing" }))).code).toBe("FORMAT.json");
    expect((await typedError(textOf({ "tokenizer.json": "<html></html>" }))).code).toBe("MODEL.folder");
  });
});

test("an estimate of a folder knows what its weights become", async () => {
  const model = asFiles(writeFolder(tinyTensors("BF16"), 2));
  const fileBytes = model.reduce((sum, { size }) => sum + size, 0);
  const [stored, eight, four] = await Promise.all(
    [undefined, "q8_0" as const, "q4_0" as const].map((quantize) => estimateSession({ model, gpu: noGpu, quantize })),
  );
  for (const verdict of [stored, eight, four]) {
    expect(verdict).toMatchObject({ architecture: "llama", fileBytes, downloadBytes: 0, parameters: stored.parameters });
    expect(verdict.problems.map(({ code }) => code)).toEqual(["GPU.unavailable"]);
  }
  expect(Object.keys(stored.types)).toEqual(["bf16"]);
  expect(Object.keys(eight.types).toSorted()).toEqual(["bf16", "q8_0"]);
  // Embedding and head stay at 8 bits.
  expect(four.types["q8_0"]).toEqual({ tensors: 2, parameters: 2 * 80 * 64, bytes: (2 * 80 * 64 * 34) / 32 });
  expect(four.types["q4_0"]?.tensors).toBe(14);
  expect(stored.gpu.weights).toBeGreaterThan(eight.gpu.weights);
  expect(eight.gpu.weights).toBeGreaterThan(four.gpu.weights);
});

test.each([
  ["hf:owner/model.gguf", "a repository that has such a name", /config\.json/],
  ["hf:owner/repo/model.gguf", "a file", /model\.gguf$/],
])("%s is %s", async (location, _what, first) => {
  const asked: string[] = [];
  const open = (one: unknown): never => {
    asked.push(String(one));
    throw new Error("enough");
  };
  await expect(openModel(location, { open })).rejects.toThrow();
  expect(asked[0]).toMatch(first);
});
