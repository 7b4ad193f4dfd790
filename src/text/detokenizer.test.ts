// Streaming: whatever the ids, what is pushed joins to what `decode` gives, and no character is cut.
import { describe, expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { bpeVocabulary, spmVocabulary } from "../testing/vocabularies.ts";
import { createDetokenizer } from "./detokenizer.ts";
import { tokenizerFromGguf } from "./tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";

function stream(tokenizer: Tokenizer, ids: readonly number[], continues = false): string[] {
  const detokenizer = createDetokenizer(tokenizer, { continues });
  return [...ids.map((id) => detokenizer.push(id)), detokenizer.flush()];
}

describe.each([
  ["byte-level BPE", bpeVocabulary()],
  ["SentencePiece", spmVocabulary()],
])("streaming from %s", (_, metadata) => {
  test("joins to the decoding of all ids, for random ids", async () => {
    const tokenizer = await tokenizerFromGguf(metadata);
    const rng = seededRng(23);
    for (let round = 0; round < 500; round++) {
      const ids = Array.from({ length: rng.below(30) }, () => rng.below(tokenizer.vocabSize));
      expect(stream(tokenizer, ids).join(""), ids.join()).toBe(tokenizer.decode(ids, { skipSpecial: true }));
      expect(stream(tokenizer, ids, true).join("")).toBe(tokenizer.decode(ids, { skipSpecial: true, continues: true }));
    }
  });

  test("gives each character of a text whole, as soon as it is", async () => {
    const tokenizer = await tokenizerFromGguf(metadata);
    const text = "na\u00efve \ud83e\udd99\ud83d\udc4d\ud83c\udffd \u65e5\u672c \ufeff\0!";
    const pieces = stream(tokenizer, tokenizer.encode(text));
    expect(pieces.join("")).toBe(text);
    expect(pieces.join("|")).not.toContain("\ufffd");
    expect(pieces.at(-1)).toBe("");
  });

  test("ends a cut character with one U+FFFD", async () => {
    const tokenizer = await tokenizerFromGguf(metadata);
    const ids = tokenizer.encode("hello\ud83e\udd99").slice(0, -1);
    const pieces = stream(tokenizer, ids);
    expect(pieces.at(-1)).toBe("\ufffd");
    expect(pieces.join("")).toBe("hello\ufffd");
  });

  test("replaces bytes that are no text, and goes on", async () => {
    const tokenizer = await tokenizerFromGguf(metadata);
    const byteId = (byte: number): number =>
      Array.from({ length: tokenizer.vocabSize }, (__, id) => id).find((id) => {
        const bytes = tokenizer.tokenBytes(id);
        return bytes.length === 1 && bytes[0] === byte;
      }) ?? -1;
    const ids = [0xff, 0x41, 0xe2, 0x82, 0x42].map(byteId);
    expect(stream(tokenizer, ids).join("")).toBe("\ufffdA\ufffdB");
  });
});
