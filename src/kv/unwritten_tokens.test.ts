import { expect, test } from "vitest";
import { type KvLayout, kvPageBytes, kvTailBytes } from "../base/layout.ts";
import { isKvPageType, kvTypes } from "../base/kv_types.ts";
import { clearUnwritten } from "./unwritten_tokens.ts";

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
