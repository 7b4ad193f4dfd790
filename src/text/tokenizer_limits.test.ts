// Long text: runs without a break, a million equal letters, ten megabytes. The same ids as in parts, in bounded time.
import { describe, expect, test } from "vitest";
import { refusal } from "../testing/refusal.ts";
import { cpuTime } from "../testing/cpu_time.ts";
import { bpeVocabulary, spmVocabulary } from "../testing/vocabularies.ts";
import { tokenizerFromGguf } from "./tokenizer.ts";

/** Above this a regular expression of JavaScript fails on a run of letters. */
const manyLetters = 4_200_000;

describe("long text", () => {
  test.each([
    ["byte-level BPE", bpeVocabulary()],
    ["SentencePiece", spmVocabulary({ entries: { add_space_prefix: false } })],
  ])("of a million equal letters takes under 2 s in %s", async (_, metadata) => {
    const tokenizer = await tokenizerFromGguf(metadata);
    tokenizer.encode("warm");
    const text = "a".repeat(1_000_000);
    const { result: ids, ms } = cpuTime(() => tokenizer.encode(text));
    expect(ms).toBeLessThan(2000);
    expect(tokenizer.decode(ids)).toBe(text);
    tokenizer.dispose();
  });

  test.each([
    ["byte-level BPE", bpeVocabulary(), 2],
    ["SentencePiece", spmVocabulary({ entries: { add_space_prefix: false } }), 1],
  ])(
    "of more letters in a run than a regular expression takes is encoded by %s",
    async (_, metadata, perLetter) => {
      const tokenizer = await tokenizerFromGguf(metadata);
      const ids = tokenizer.encode("\u00e9".repeat(manyLetters));
      expect(ids).toHaveLength(perLetter * manyLetters);
      const period = ids.slice(0, perLetter);
      expect(ids.every((id, i) => id === period[i % perLetter])).toBe(true);
      tokenizer.dispose();
    },
    60_000,
  );

  test("of ten megabytes comes back, with the ids that its parts have", async () => {
    const tokenizer = await tokenizerFromGguf(bpeVocabulary({ entries: { pre: "llama-bpe" } }));
    const line = "hello world, 1234  \n\n \nhello\u00e9 (x)\r\n\tworld\n";
    const text = line.repeat(10_000_000 / line.length);
    const ids = tokenizer.encode(text);
    expect(tokenizer.decode(ids)).toBe(text);
    const one = tokenizer.encode(line);
    expect(ids).toHaveLength((one.length * text.length) / line.length);
    expect(ids.every((id, i) => id === one[i % one.length])).toBe(true);
    tokenizer.dispose();
  }, 60_000);

  test("of a run that would exhaust the library's memory is refused", async () => {
    const tokenizer = await tokenizerFromGguf(bpeVocabulary());
    const error = refusal(() => tokenizer.encode("a".repeat(9_000_000)));
    expect(error.code).toBe("LIMIT.text");
    expect(tokenizer.encode("hello")).toHaveLength(1);
    tokenizer.dispose();
  });

  test("of nothing but starts of control tokens takes linear time", async () => {
    const tokenizer = await tokenizerFromGguf(bpeVocabulary());
    const text = "<|im_end|".repeat(200_000);
    const { result: ids, ms } = cpuTime(() => tokenizer.encodeWithSpecials(text));
    expect(ms).toBeLessThan(4000);
    expect(tokenizer.decode(ids)).toBe(text);
    tokenizer.dispose();
  });
});
