import { expect, test } from "vitest";
import { type KvLayout, kvPageBytes, kvTailBytes } from "../base/layout.ts";
import { isKvPageType, kvBlock, kvKeyWords, kvTypes, kvValueWords } from "../base/kv_types.ts";
import { clearUnwritten, clearUnwrittenPage } from "./unwritten_tokens.ts";

test.for([...kvTypes])("%s: what is behind the tokens goes, as much as they take", (type) => {
  const layout: KvLayout = { type, pageTokens: 8, numKvHeads: 3, headDim: 64, maxPages: 4 };
  const bytes = 2 * (isKvPageType(type) ? kvTailBytes(layout) : kvPageBytes(layout));
  for (const tokens of [0, 1, 5, 8]) {
    const record = new Uint8Array(bytes).fill(255);
    clearUnwritten(record, layout, tokens);
    const kept = record.filter((byte) => byte === 255).length;
    expect(kept).toBe((bytes * tokens) / 8);
    expect(record.filter((byte) => byte === 0)).toHaveLength(bytes - kept);
    // The first array begins with the first token.
    expect(record[0]).toBe(tokens > 0 ? 255 : 0);
    expect(record[record.length - 1]).toBe(tokens === 8 ? 255 : 0);
  }
});

test.for(["q4", "kivi2"] as const)("%s: what repairs a page that is not full goes with its keys", (type) => {
  const plain: KvLayout = { type, pageTokens: 32, numKvHeads: 3, headDim: 64, maxPages: 4 };
  const [without, repaired] = [plain, { ...plain, repair: "gear" as const }].map((layout) => {
    const record = new Uint8Array(2 * kvPageBytes(layout)).fill(255);
    clearUnwrittenPage(record, layout, 7);
    return record.filter((byte) => byte === 255).length;
  });
  expect(repaired).toBe(without);
});

test.for(["q4", "kivi2"] as const)("%s: of a page that is not full all keys go, and values behind the tokens", (type) => {
  const layout: KvLayout = { type, pageTokens: 32, numKvHeads: 3, headDim: 64, maxPages: 4 };
  const layers = 2;
  for (const tokens of [0, 1, 31]) {
    const record = new Uint8Array(layers * kvPageBytes(layout)).fill(255);
    clearUnwrittenPage(record, layout, tokens);
    expect(record.filter((byte) => byte === 255)).toHaveLength((layers * 3 * 4 * kvValueWords(layout) * tokens) / 32);
    // The first token's codes, and what its blocks share, behind all codes.
    const values = 3 * 4 * kvKeyWords(layout);
    const shared = values + 4 * (kvValueWords(layout) - (32 * 64) / kvBlock(type, 64));
    for (const at of [values, shared]) expect(record[at]).toBe(tokens > 0 ? 255 : 0);
    expect(record[values - 1]).toBe(0);
  }
});
