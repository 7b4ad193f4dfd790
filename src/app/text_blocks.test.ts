import { expect, test } from "vitest";
import { cutBlocks } from "./text_blocks.ts";

/** Block texts after appending pieces one by one. */
function appendAll(pieces: readonly string[]): string[] {
  const blocks = [""];
  for (const piece of pieces) {
    const [first, ...rest] = cutBlocks(blocks.at(-1)?.length ?? 0, piece);
    blocks[blocks.length - 1] += first;
    blocks.push(...rest);
  }
  return blocks;
}

test("short text stays in one block", () => {
  expect(appendAll(["One line.\n", "Another", " line.\n\n", "Third."])).toEqual(["One line.\nAnother line.\n\nThird."]);
});

test("a long text is cut at line ends only, and nothing is lost, however it arrives", () => {
  const text = Array.from({ length: 400 }, (_, index) => `Line ${index} of a long answer, with some words in it.\n`).join("");
  for (const size of [1, 7, 1000, text.length]) {
    const pieces = text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
    const blocks = appendAll(pieces);
    expect(blocks.join("")).toBe(text);
    expect(blocks.length).toBeGreaterThan(15);
    expect(blocks.slice(0, -1).every((block) => block.endsWith("\n") && block.length >= 800 && block.length < 900)).toBe(true);
  }
});

test("a line without end is cut too, never inside a character", () => {
  const text = "x" + "\u{1F9F5}".repeat(100_000);
  const blocks = appendAll([text]);
  expect(blocks.join("")).toBe(text);
  expect(Math.max(...blocks.map((block) => block.length))).toBeLessThanOrEqual(16_001);
  expect(blocks.some((block) => /^[\uDC00-\uDFFF]|[\uD800-\uDBFF]$/.test(block))).toBe(false);
});
