// Clears what lies behind the tokens of a page that is not full: what was there before belongs to other conversations, and a page that leaves
// the GPU should not take it along.

import { assert } from "../base/errors.ts";
import type { KvLayout } from "../base/layout.ts";
import { isKvPageType, kvBlock, kvKeyWords, kvRepairWords, kvValueWords } from "../base/kv_types.ts";
import { ceilDiv } from "../base/math.ts";

/** Words of a token in each of the arrays of a kv head's keys, or values; in a tail of page types f16 pairs. */
function tokenWords({ type, headDim }: KvLayout): readonly number[] {
  switch (type) {
    case "f32":
      return [headDim];
    case "q8_0":
      return [headDim / 4, ceilDiv(headDim / kvBlock(type, headDim), 2)];
    case "bfp4":
      return [ceilDiv(headDim, 8), ceilDiv(headDim / kvBlock(type, headDim), 4)];
    default:
      return [headDim / 2];
  }
}

/**
 * @param record  a page, or of page types a tail, of all layers; changed
 * @param tokens  those that stay
 */
export function clearUnwritten(record: Uint8Array, layout: KvLayout, tokens: number): void {
  const { pageTokens, type } = layout;
  const words = tokenWords(layout);
  const headBytes = 4 * pageTokens * words.reduce((sum, one) => sum + one, 0);
  // A type that is laid out in another way by now is left as it is.
  const plain = isKvPageType(type) || (headBytes === 4 * kvKeyWords(layout) && headBytes === 4 * kvValueWords(layout));
  if (!plain || record.length % headBytes !== 0) return;
  for (let head = 0; head < record.length; head += headBytes) {
    let start = head;
    for (const one of words) {
      record.fill(0, start + 4 * tokens * one, start + 4 * pageTokens * one);
      start += 4 * pageTokens * one;
    }
  }
}

/**
 * A page of a page type that is not full: its keys are quantized, and both repaired, with its last token, its values token by token.
 * @param record  a page of all layers; changed
 * @param tokens  those that stay, fewer than a page has
 */
export function clearUnwrittenPage(record: Uint8Array, layout: KvLayout, tokens: number): void {
  const { pageTokens, numKvHeads, headDim, type } = layout;
  assert(isKvPageType(type) && tokens < pageTokens, `${tokens} tokens of a page of ${pageTokens} in ${type}`);
  const shared = headDim / kvBlock(type, headDim);
  const [keyBytes, valueBytes] = [4 * kvKeyWords(layout), 4 * kvValueWords(layout)];
  const repair = kvRepairWords(layout);
  const codes = (valueBytes / 4 - repair) / pageTokens - shared;
  for (let layer = 0; layer < record.length; layer += numKvHeads * (keyBytes + valueBytes)) {
    record.fill(0, layer, layer + numKvHeads * keyBytes);
    for (let head = 0; head < numKvHeads; head++) {
      let start = layer + numKvHeads * keyBytes + head * valueBytes;
      for (const words of [codes, shared]) {
        record.fill(0, start + 4 * tokens * words, start + 4 * pageTokens * words);
        start += 4 * pageTokens * words;
      }
      record.fill(0, start, start + 4 * repair);
    }
  }
}
