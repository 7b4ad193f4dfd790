// tokenizer.json: what is read of it, and that nothing unknown or damaged reaches the library, which would abort or hang.
import { describe, expect, test } from "vitest";
import { byteAlphabet } from "../testing/tiny_model.ts";
import { errorCode, typedError } from "../testing/typed_error.ts";
import { tokenizerFromJson } from "./tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";

type Json = Record<string, unknown>;

const added = (id: number, content: string, more: Json = {}): Json => ({
  id,
  content,
  special: true,
  normalized: false,
  lstrip: false,
  rstrip: false,
  single_word: false,
  ...more,
});

/** Byte-level, with merges of both spellings. */
function byteLevelJson(changes: Json = {}): Json {
  const tokens = [...byteAlphabet(), "he", "ll", "hell"];
  return {
    version: "1.0",
    added_tokens: [added(259, "<|im_end|>"), added(260, "<tool>", { special: false })],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: "BPE", vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges: ["h e", ["l", "l"], "he ll"] },
    ...changes,
  };
}

/** SentencePiece style, as Llama 2 and Phi-3 have it. */
function sentencePieceJson(changes: Json = {}): Json {
  const bytes = Array.from({ length: 256 }, (_, value) => `<0x${value.toString(16).toUpperCase().padStart(2, "0")}>`);
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, "\u2581", "h", "i", "hi", "\u2581hi"];
  return {
    added_tokens: [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>", { rstrip: true })],
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "\u2581" },
        { type: "Replace", pattern: { String: " " }, content: "\u2581" },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [],
      special_tokens: {},
    },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "\u2581" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      unk_token: "<unk>",
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: ["h i", "\u2581 hi"],
    },
    ...changes,
  };
}

const pattern = (regex: string): Json => ({
  pre_tokenizer: { type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false },
});

const texts = (tokenizer: Tokenizer, ids: readonly number[]): string[] => ids.map((id) => tokenizer.tokenText(id));

describe("a tokenizer.json", () => {
  test("of byte-level BPE encodes, decodes and keeps its added tokens apart", async () => {
    const tokenizer = await tokenizerFromJson(byteLevelJson(), { eos_token: { content: "<|im_end|>" } });
    expect(texts(tokenizer, tokenizer.encodeWithSpecials("hell<|im_end|><tool>"))).toEqual(["hell", "<|im_end|>", "<tool>"]);
    expect(texts(tokenizer, tokenizer.encode("<|im_end|>"))).not.toContain("<|im_end|>");
    expect(texts(tokenizer, tokenizer.encode("<tool>"))).toEqual(["<tool>"]);
    expect([tokenizer.vocabSize, tokenizer.bosId, tokenizer.eosId]).toEqual([261, undefined, 259]);
    expect([...tokenizer.endOfGeneration]).toEqual([259]);
    expect(tokenizer.decode(tokenizer.encode("h\u00e9llo \ud83e\udd99"))).toBe("h\u00e9llo \ud83e\udd99");
  });

  test("of SentencePiece style prefixes, falls back to bytes and strips", async () => {
    const tokenizer = await tokenizerFromJson(sentencePieceJson());
    expect(texts(tokenizer, tokenizer.encodeWithSpecials("hi</s> \n hi\n"))).toEqual(["\u2581hi", "</s>", "\u2581hi", "<0x0A>"]);
    expect(tokenizer.decode(tokenizer.encode("hi hi"))).toBe("hi hi");
    expect([tokenizer.bosId, tokenizer.addBos, tokenizer.addEos]).toEqual([1, true, false]);
    expect((await tokenizerFromJson(sentencePieceJson(), { add_bos_token: false })).addBos).toBe(false);
  });

  test("with Metaspace prefixes each run of text", async () => {
    const json = sentencePieceJson({
      normalizer: null,
      pre_tokenizer: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always", split: false },
    });
    const tokenizer = await tokenizerFromJson(json);
    expect(texts(tokenizer, tokenizer.encodeWithSpecials("hi<s>hi hi<s> hi"))).toEqual([
      "\u2581hi",
      "<s>",
      "\u2581hi",
      "\u2581hi",
      "<s>",
      "\u2581hi",
    ]);
  });

  test("strips white space around the tokens that say so, and finds single words only alone", async () => {
    const json = byteLevelJson({
      added_tokens: [added(259, "<|im_end|>", { lstrip: true, rstrip: true }), added(260, "ha", { special: false, single_word: true })],
    });
    const tokenizer = await tokenizerFromJson(json);
    expect(texts(tokenizer, tokenizer.encodeWithSpecials("he \n<|im_end|>\t he"))).toEqual(["he", "<|im_end|>", "he"]);
    expect(texts(tokenizer, tokenizer.encode("ha aha ha!"))).toEqual(["ha", "\u0120", "a", "h", "a", "\u0120", "ha", "!"]);
  });

  const { model } = byteLevelJson() as { model: Json };
  const damaged: ReadonlyArray<readonly [string, unknown, string]> = [
    ["nothing", undefined, "TOKENIZER.kind"],
    ["a list", [], "TOKENIZER.kind"],
    ["an empty object", {}, "TOKENIZER.kind"],
    ["no vocabulary", byteLevelJson({ model: { type: "BPE", merges: [] } }), "TOKENIZER.kind"],
    ["an empty vocabulary", byteLevelJson({ model: { ...model, vocab: {} } }), "TOKENIZER.vocab"],
    ["a model of another kind", byteLevelJson({ model: { ...model, type: "Unigram" } }), "TOKENIZER.kind"],
    ["dropout", byteLevelJson({ model: { ...model, dropout: 0.1 } }), "TOKENIZER.kind"],
    ["an id twice", byteLevelJson({ model: { ...model, vocab: { a: 0, b: 0 } } }), "TOKENIZER.vocab"],
    ["an id that is none", byteLevelJson({ model: { ...model, vocab: { a: -1 } } }), "TOKENIZER.vocab"],
    ["a huge id", byteLevelJson({ model: { ...model, vocab: { a: 2 ** 31 } } }), "TOKENIZER.vocab"],
    ["a merge of unknown tokens", byteLevelJson({ model: { ...model, merges: ["he zz"] } }), "TOKENIZER.vocab"],
    ["a merge of three", byteLevelJson({ model: { ...model, merges: ["h e l"] } }), "TOKENIZER.vocab"],
    ["a merge that is a number", byteLevelJson({ model: { ...model, merges: [3] } }), "TOKENIZER.kind"],
    ["two ids for a token", byteLevelJson({ added_tokens: [added(300, "he")] }), "TOKENIZER.vocab"],
    ["two tokens for an id", byteLevelJson({ added_tokens: [added(256, "<x>")] }), "TOKENIZER.vocab"],
    ["an added token without text", byteLevelJson({ added_tokens: [added(300, "")] }), "TOKENIZER.vocab"],
    ["an unknown normalizer", byteLevelJson({ normalizer: { type: "Precompiled" } }), "TOKENIZER.kind"],
    ["an unknown pre-tokenizer", byteLevelJson({ pre_tokenizer: { type: "BertPreTokenizer" } }), "TOKENIZER.kind"],
    [
      "an unknown behaviour",
      byteLevelJson({ pre_tokenizer: { type: "Split", pattern: { String: "a" }, behavior: "Vanish" } }),
      "TOKENIZER.kind",
    ],
    ["an unknown decoder", byteLevelJson({ decoder: { type: "WordPiece" } }), "TOKENIZER.kind"],
    ["no decoder", byteLevelJson({ decoder: null }), "TOKENIZER.kind"],
    ["an exponential pattern", byteLevelJson(pattern("^(a+)+$")), "TOKENIZER.pattern"],
    ["a pattern that does not compile", byteLevelJson(pattern("(")), "TOKENIZER.pattern"],
    ["a known pattern with more in it", byteLevelJson(pattern("\\s+|^(a+)+$")), "TOKENIZER.pattern"],
    [
      "a pattern in a normalizer",
      byteLevelJson({ normalizer: { type: "Replace", pattern: { Regex: "(a*)*b" }, content: "" } }),
      "TOKENIZER.pattern",
    ],
  ];
  test.each(damaged)("with %s is refused", async (_, json, code) => {
    expect(await errorCode(tokenizerFromJson(json))).toBe(code);
  });

  test("nested without end is refused", async () => {
    let normalizer: Json = { type: "NFC" };
    for (let i = 0; i < 10_000; i++) normalizer = { type: "Sequence", normalizers: [normalizer] };
    expect(await errorCode(tokenizerFromJson(byteLevelJson({ normalizer })))).toBe("TOKENIZER.kind");
  });

  test("says which pattern it was refused for", async () => {
    const error = await typedError(tokenizerFromJson(byteLevelJson(pattern("^(a+)+$"))));
    expect(error.detail).toEqual({ part: "pre_tokenizer.pattern", pattern: "^(a+)+$" });
  });
});
