// Real GGUF files of ../shared/data against facts read from them by another program (a Python script over the format's
// text), and the table of types against packed vectors of 25 of them.

import { describe, expect, test } from "vitest";
import { sharedFileOrSkip } from "../../testing/files.ts";
import { bytesSource } from "../byte_source.ts";
import { ggmlTypes } from "./ggml_types.ts";
import { openGguf } from "./gguf.ts";

interface Facts {
  readonly entries: number;
  readonly tensors: number;
  readonly headerBytes: number;
  readonly tokens: number;
  readonly tokenizer: string;
  readonly types?: readonly string[];
}

const models: ReadonlyArray<readonly [name: string, facts: Facts]> = [
  ["models/stories260K/stories260K-f32", { entries: 24, tensors: 47, headerBytes: 14278, tokens: 512, tokenizer: "llama", types: ["F32"] }],
  [
    "models/tinystories-656k/tinystories-656k-f16",
    { entries: 24, tensors: 20, headerBytes: 50270, tokens: 2048, tokenizer: "llama", types: ["F16", "F32"] },
  ],
  [
    "models/tinystories-656k/tinystories-656k-q8_0",
    { entries: 25, tensors: 20, headerBytes: 50314, tokens: 2048, tokenizer: "llama", types: ["F32", "Q8_0"] },
  ],
  [
    "models/tinystories-656k/tinystories-656k-q4_0",
    { entries: 25, tensors: 20, headerBytes: 50314, tokens: 2048, tokenizer: "llama", types: ["F32", "Q4_0", "Q8_0"] },
  ],
  ["vocab-gguf/ggml-vocab-bert-bge", { entries: 20, tensors: 0, headerBytes: 627549, tokens: 30522, tokenizer: "bert" }],
  ["vocab-gguf/ggml-vocab-deepseek-coder", { entries: 25, tensors: 0, headerBytes: 1156067, tokens: 32256, tokenizer: "gpt2" }],
  ["vocab-gguf/ggml-vocab-gpt-2", { entries: 16, tensors: 0, headerBytes: 1766807, tokens: 50257, tokenizer: "gpt2" }],
  ["vocab-gguf/ggml-vocab-llama-spm", { entries: 22, tensors: 0, headerBytes: 723869, tokens: 32000, tokenizer: "llama" }],
  ["vocab-gguf/ggml-vocab-phi-3", { entries: 26, tensors: 0, headerBytes: 726019, tokens: 32064, tokenizer: "llama" }],
  ["vocab-gguf/ggml-vocab-starcoder", { entries: 19, tensors: 0, headerBytes: 1719346, tokens: 49152, tokenizer: "gpt2" }],
];

describe("files of ../shared/data", () => {
  test.for(models)("%s", async ([name, facts], context) => {
    const bytes = await sharedFileOrSkip(context, `data/${name}.gguf`);
    const file = await openGguf(bytesSource(bytes));
    expect(file).toMatchObject({ version: 3, alignment: 32, headerBytes: facts.headerBytes });
    expect(file.metadata.size).toBe(facts.entries);
    expect(file.metadata.get("tokenizer.ggml.tokens")).toHaveLength(facts.tokens);
    expect(file.metadata.get("tokenizer.ggml.model")).toBe(facts.tokenizer);
    const tensors = [...file.tensors.values()];
    expect(tensors).toHaveLength(facts.tensors);
    expect([...new Set(tensors.map(({ type }) => ggmlTypes[type].name))].toSorted()).toEqual(facts.types ?? []);
    // Data ends where the file ends, up to padding: a wrong size of any tensor would miss it.
    const end = tensors.reduce((last, { offset, bytes: length }) => Math.max(last, offset + length), file.headerBytes);
    expect(bytes.length - end).toBeGreaterThanOrEqual(0);
    expect(bytes.length - end).toBeLessThan(file.alignment);
  });

  test("tensors of stories260K: shapes and places", async (context) => {
    const bytes = await sharedFileOrSkip(context, "data/models/stories260K/stories260K-f32.gguf");
    const { tensors, dataOffset } = await openGguf(bytesSource(bytes));
    expect(tensors.get("token_embd.weight")).toMatchObject({ shape: [512, 64], type: 0, offset: dataOffset, bytes: 131072 });
    expect(tensors.get("blk.4.ffn_down.weight")).toMatchObject({ shape: [64, 172], bytes: 44032 });
    expect(tensors.get("output_norm.weight")).toMatchObject({ shape: [64], bytes: 256 });
  });
});

test("block sizes and bytes of the 25 types with packed vectors", async (context) => {
  const index: unknown = JSON.parse(new TextDecoder().decode(await sharedFileOrSkip(context, "data/quant-vectors/index.json")));
  if (!Array.isArray(index)) throw new Error("index.json is no list");
  expect(index).toHaveLength(25);
  for (const entry of index) {
    const { ggml_type: id, type, block, bytes, rows, cols } = entry;
    expect(ggmlTypes[id]).toMatchObject({
      name: String(type).toUpperCase(),
      blockSize: block,
      bytesPerBlock: (bytes * block) / (rows * cols),
    });
  }
});
