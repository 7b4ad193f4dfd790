// Every split of the table, in the library that runs it: it compiles, loses nothing, and cuts where its model's does.
import { describe, expect, test } from "vitest";
import { cpuTime } from "../testing/cpu_time.ts";
import { bpeVocabulary } from "../testing/vocabularies.ts";
import { findPreTokenizer, preTokenizerNames, runnablePattern } from "./pre_tokenizers.ts";
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

const run = (text: string): string => text.repeat(20_000 / text.length);
const patternsOf = (name: string): string => JSON.stringify(findPreTokenizer(name)?.patterns);

describe("long runs of one kind", () => {
  const endings = ["x", "A", "1", "!", "\u65e5", "\u20ac", "\ud83e\udd99"];
  const runs = [" ", "\t", "\u00a0", "\n", " \n", "\r\n", "A", "Aa", "1", "!", "!a", "'S", "\u0301", "\u02b0", "\u65e5", "\u2026"];
  const distinct = preTokenizerNames().filter((name, i, names) => {
    return names.findIndex((other) => patternsOf(other) === patternsOf(name)) === i;
  });

  test.each(distinct)("take linear time in %s", async (pre) => {
    const tokenizer = await tokenizerFromGguf(bpeVocabulary({ entries: { pre } }));
    for (const [i, unit] of runs.entries()) {
      const text = run(unit) + endings[i % endings.length];
      const { ms } = cpuTime(() => tokenizer.encode(text));
      expect(ms, JSON.stringify(unit)).toBeLessThan(700);
    }
    // Spaces before each kind of character: what a split at the end of spaces goes wrong on.
    for (const ending of endings) expect(cpuTime(() => tokenizer.encode(run(" ") + ending)).ms, ending).toBeLessThan(700);
    tokenizer.dispose();
  });
});

describe("patterns of other files", () => {
  test("run in either spelling, in their linear form, and only known ones", () => {
    expect(runnablePattern("[\\r\\n]")).toBe("[\\r\\n]");
    expect(runnablePattern("[\r\n]")).toBe("[\r\n]");
    expect(runnablePattern("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+")).toBeDefined();
    expect(runnablePattern("\\s+$")).toBe("(?<!\\s)\\s+$");
    expect(runnablePattern("^(a+)+$")).toBeUndefined();
    expect(runnablePattern("")).toBeUndefined();
  });
});
