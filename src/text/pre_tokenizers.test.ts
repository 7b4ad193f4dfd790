// Every split of the table, in the library that runs it: it compiles, loses nothing, and cuts where its model's does.
import { describe, expect, test } from "vitest";
import { bpeVocabulary } from "../testing/vocabularies.ts";
import { findPreTokenizer, isKnownPattern, preTokenizerNames } from "./pre_tokenizers.ts";
import { tokenizerFromGguf } from "./tokenizer.ts";

const sample =
  "Hello's WORLD 1234567 \u0645\u0631\u062d\u0628\u0627 \u4f60\u597d caf\u00e9 \u0130x\n\n  foo_bar(); \t\u20ac5 \ud83e\udd99!?\r\n'LL  ";

describe("the table of splits", () => {
  test("has each name once, and nothing for an unknown one", () => {
    const names = preTokenizerNames();
    expect(new Set(names).size).toBe(names.length);
    expect(findPreTokenizer("never heard of")).toBeUndefined();
    expect(findPreTokenizer("")).toBeUndefined();
  });

  test.each(preTokenizerNames())("%s compiles and keeps every character", async (pre) => {
    const tokenizer = await tokenizerFromGguf(bpeVocabulary({ entries: { pre } }));
    expect(tokenizer.decode(tokenizer.encode(sample))).toBe(sample);
    tokenizer.dispose();
  });

  /** Where a split falls shows by whether a merge over it happens. */
  const cuts: ReadonlyArray<readonly [pre: string, text: string, merged: boolean]> = [
    ["gpt-2", "12", true],
    ["starcoder", "12", false],
    ["qwen2", "12", false],
    ["llama-bpe", "12", true],
    ["default", "12", true],
    ["deepseek-coder", "12", false],
    ["gpt-2", "(a", false],
    ["llama-bpe", "(a", true],
    ["tekken", "aB", false],
    ["gpt-4o", "aB", false],
    ["qwen2", "aB", true],
    ["gpt-2", "\n\n", true],
    ["deepseek-llm", "\n\n", false],
    ["deepseek-v3", "!a", true],
    ["gpt-2", "!a", false],
    ["bloom", "!a", false],
    ["bloom", "(a", false],
    ["bloom", "_a", true],
    ["falcon", "`a", false],
  ];
  test.each(cuts)("%s on %j", async (pre, text, merged) => {
    const alphabet = bpeVocabulary().get("tokenizer.ggml.tokens") as string[];
    const [left, right] = Array.from(text).map((char) => (char === "\n" ? "\u010a" : char));
    const tokens = [...alphabet, left + right];
    const types = Int32Array.from(tokens, (token) => (token.startsWith("<|") ? 3 : 1));
    const tokenizer = await tokenizerFromGguf(bpeVocabulary({ entries: { pre, tokens, token_type: types, merges: [`${left} ${right}`] } }));
    expect(tokenizer.encode(text)).toHaveLength(merged ? 1 : 2);
    tokenizer.dispose();
  });
});

describe("patterns of other files", () => {
  test("are known in either spelling, and only those", () => {
    expect(isKnownPattern("[\\r\\n]")).toBe(true);
    expect(isKnownPattern("[\r\n]")).toBe(true);
    expect(isKnownPattern("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+")).toBe(true);
    expect(isKnownPattern("^(a+)+$")).toBe(false);
    expect(isKnownPattern("")).toBe(false);
  });
});
