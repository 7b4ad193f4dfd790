// Real vocabularies against what llama.cpp and Hugging Face's tokenizers give: ids equal, texts back.
import { describe, expect, test } from "vitest";
import type { Metadata } from "../base/metadata.ts";
import { sharedFileOrSkip } from "../testing/files.ts";
import type { Skipper } from "../testing/gpu.ts";
import { errorCode } from "../testing/typed_error.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { tokenizerFromGguf, tokenizerFromJson } from "./tokenizer.ts";

const utf8 = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the shape of a file it knows
const parse = <T>(bytes: Uint8Array): T => JSON.parse(utf8(bytes)) as T;

async function metadataOf(context: Skipper, path: string): Promise<Metadata> {
  return (await openGguf(bytesSource(await sharedFileOrSkip(context, path)))).metadata;
}

/** llama.cpp's pairs of files: texts apart by a marker, ids line by line. */
async function readCases(context: Skipper, name: string): Promise<Array<{ text: string; ids: number[] }>> {
  const path = `data/vocab-gguf/ggml-vocab-${name}.gguf`;
  const texts = utf8(await sharedFileOrSkip(context, `${path}.inp`)).split("\n__ggml_vocab_test__\n");
  const lines = utf8(await sharedFileOrSkip(context, `${path}.out`)).split("\n");
  return texts.slice(0, -1).map((text, i) => ({
    text,
    ids: lines[i]
      .split(" ")
      .filter((id) => id !== "")
      .map(Number),
  }));
}

interface LlamaVector {
  readonly text: string;
  readonly ids: number[];
  readonly detok: string;
}

const ggufNames = ["gpt-2", "llama-spm", "phi-3", "starcoder", "deepseek-coder"] as const;
/** llama.cpp drops spaces before punctuation when it decodes these, as GPT-2's Python did; decoding here loses nothing. */
const cleanedUp: readonly string[] = ["gpt-2", "starcoder"];

describe("a GGUF vocabulary", () => {
  test.for(ggufNames)("%s gives llama.cpp's ids in 46 of 46 cases", async (name, context) => {
    const tokenizer = await tokenizerFromGguf(await metadataOf(context, `data/vocab-gguf/ggml-vocab-${name}.gguf`));
    const cases = await readCases(context, name);
    expect(cases).toHaveLength(46);
    for (const { text, ids } of cases) {
      expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(text);
    }
    tokenizer.dispose();
  });

  test.for(ggufNames)("%s gives llama.cpp's ids for longer texts", async (name, context) => {
    const tokenizer = await tokenizerFromGguf(await metadataOf(context, `data/vocab-gguf/ggml-vocab-${name}.gguf`));
    const vectors = parse<LlamaVector[]>(await sharedFileOrSkip(context, `data/vocab-gguf/vectors/${name}.llamacpp.json`));
    expect(vectors).toHaveLength(118);
    for (const { text, ids, detok } of vectors) {
      expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(cleanedUp.includes(name) ? text : detok);
    }
    tokenizer.dispose();
  });

  test("of another kind is refused by name", async (context) => {
    const metadata = await metadataOf(context, "data/vocab-gguf/ggml-vocab-bert-bge.gguf");
    expect(await errorCode(tokenizerFromGguf(metadata))).toBe("TOKENIZER.kind");
  });

  test("made of Qwen2's tokenizer.json gives llama.cpp's ids in 46 of 46 cases", async (context) => {
    const json = parse<{
      model: { vocab: Record<string, number>; merges: Array<[string, string]> };
      added_tokens: Array<{ id: number; content: string }>;
    }>(await sharedFileOrSkip(context, "data/tokenizers/qwen2/tokenizer.json"));
    const tokens: string[] = [];
    for (const [text, id] of Object.entries(json.model.vocab)) tokens[id] = text;
    for (const { id, content } of json.added_tokens) tokens[id] = content;
    const first = json.added_tokens[0].id;
    const tokenizer = await tokenizerFromGguf(
      new Map<string, string | string[] | Int32Array>([
        ["tokenizer.ggml.model", "gpt2"],
        ["tokenizer.ggml.pre", "qwen2"],
        ["tokenizer.ggml.tokens", tokens],
        ["tokenizer.ggml.token_type", Int32Array.from(tokens, (_, id) => (id >= first ? 3 : 1))],
        ["tokenizer.ggml.merges", json.model.merges.map((merge) => merge.join(" "))],
      ]),
    );
    const cases = await readCases(context, "qwen2");
    expect(cases).toHaveLength(46);
    for (const { text, ids } of cases) expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids);
    tokenizer.dispose();
  });

  test("without byte tokens gives Hugging Face's ids", async (context) => {
    const tokenizer = await tokenizerFromGguf(await metadataOf(context, "data/models/tinystories-656k/tinystories-656k-f16.gguf"));
    const vectors = parse<HuggingFaceVector[]>(await sharedFileOrSkip(context, "data/models/tinystories-656k/vectors.hf.json"));
    for (const { text, ids } of vectors) expect(tokenizer.encodeWithSpecials(text), JSON.stringify(text)).toEqual(ids);
  });
});

interface HuggingFaceVector {
  readonly text: string;
  readonly ids: number[];
  readonly decode: string;
  readonly decode_skip_special: string;
}

describe("a tokenizer.json", () => {
  test.for(["phi-3-mini", "qwen2", "smollm-49152"])("of %s gives Hugging Face's ids and texts", async (name, context) => {
    const tokenizer = await tokenizerFromJson(parse(await sharedFileOrSkip(context, `data/tokenizers/${name}/tokenizer.json`)));
    const vectors = parse<HuggingFaceVector[]>(await sharedFileOrSkip(context, `data/tokenizers/${name}/vectors.hf.json`));
    expect(vectors).toHaveLength(118);
    for (const { text, ids, decode, decode_skip_special } of vectors) {
      expect(tokenizer.encodeWithSpecials(text), JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(decode);
      expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(decode_skip_special);
    }
    tokenizer.dispose();
  });

  test("of the tiny model gives Hugging Face's ids", async (context) => {
    const folder = "data/models/tinystories-656k";
    const json: unknown = parse(await sharedFileOrSkip(context, `${folder}/tokenizer.json`));
    const tokenizer = await tokenizerFromJson(json, parse(await sharedFileOrSkip(context, `${folder}/tokenizer_config.json`)));
    const vectors = parse<HuggingFaceVector[]>(await sharedFileOrSkip(context, `${folder}/vectors.hf.json`));
    expect(vectors).toHaveLength(118);
    for (const { text, ids } of vectors) expect(tokenizer.encodeWithSpecials(text), JSON.stringify(text)).toEqual(ids);
    expect([tokenizer.bosId, tokenizer.eosId, tokenizer.addBos]).toEqual([1, 2, true]);
    tokenizer.dispose();
  });

  test("of Qwen2 never yields a control token from a user's text", async (context) => {
    const tokenizer = await tokenizerFromJson(parse(await sharedFileOrSkip(context, "data/tokenizers/qwen2/tokenizer.json")));
    const text = "<|im_start|>user\nhi<|im_end|>\n<|endoftext|>";
    const ids = tokenizer.encode(text);
    expect(ids.filter((id) => id >= 151643)).toEqual([]);
    expect(tokenizer.decode(ids)).toBe(text);
    expect(tokenizer.encodeWithSpecials(text).filter((id) => id >= 151643)).toEqual([151644, 151645, 151643]);
    tokenizer.dispose();
  });
});
