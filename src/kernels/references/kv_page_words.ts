// The words of pages and tails of types that are quantized when a page is full: as a step finds them, and as it leaves them.

import { f32ToF16 } from "../../base/dtype.ts";
import { kvPageBytes, type KvLayout, kvTailBytes } from "../../base/layout.ts";
import { kvKeyWords, kvRepairWords, kvValueWords } from "../../base/kv_types.ts";
import type { CpuKv, StepRow } from "../kernel.ts";
import { pageSizes } from "../kv_pages.ts";
import { kvIndex } from "./kv.ts";
import { decodePage, encodePage, pageNumbers } from "./kv_pages.ts";

/** Where the pages of the cache lie. */
export interface PageTable {
  readonly layout: KvLayout;
  /** `[slot, maxPages]`. */
  readonly table: Uint32Array;
  readonly pageCount: number;
}

/** A kv head's vectors in a page of a slot. */
interface HeadPage {
  readonly slot: number;
  readonly page: number;
  readonly head: number;
  readonly values: boolean;
}

/** First word of a kv head in the pages. */
function wordsAt({ layout, table }: PageTable, { slot, page, head, values }: HeadPage): number {
  const [keys, all] = [kvKeyWords(layout), kvKeyWords(layout) + kvValueWords(layout)];
  const base = table[slot * layout.maxPages + page] * layout.numKvHeads * all;
  return values ? base + layout.numKvHeads * keys + head * kvValueWords(layout) : base + head * keys;
}

function* headPages({ numKvHeads }: KvLayout, slot: number, page: number): Generator<HeadPage> {
  for (const values of [false, true]) for (let head = 0; head < numKvHeads; head++) yield { slot, page, head, values };
}

/** First word of a token of a kv head in the tails. */
function tailAt({ numKvHeads, pageTokens, headDim }: KvLayout, at: { slot: number; token: number; head: number; values: boolean }): number {
  return ((((at.slot * 2 + (at.values ? 1 : 0)) * numKvHeads + at.head) * pageTokens + at.token) * headDim) / 2;
}

/** Two f16 in each word. */
function pairs(data: Float32Array): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: data.length / 2 }, (_, i) => (f32ToF16(data[2 * i]) | (f32ToF16(data[2 * i + 1]) << 16)) >>> 0);
}

function storeInTail(tails: Uint32Array, kv: CpuKv, layout: KvLayout, { slot, position }: { slot: number; position: number }): void {
  for (const { head, values } of headPages(layout, slot, 0)) {
    const from = kvIndex(kv, layout, { slot, position, head });
    const data = (values ? kv.values : kv.keys).subarray(from, from + layout.headDim);
    tails.set(pairs(data), tailAt(layout, { slot, token: position % layout.pageTokens, head, values }));
  }
}

function lastPosition(rows: readonly StepRow[], slot: number): number {
  return Math.max(...rows.filter((row) => row.slot === slot).map((row) => row.position));
}

/** First row of each slot. */
function firstRows(rows: readonly StepRow[]): readonly StepRow[] {
  return rows.filter(({ slot }, index) => rows.findIndex((row) => row.slot === slot) === index);
}

/**
 * Pages and tails before a step: `garbage` where no row may look, or look no longer. A tail holds its first row's position, too. `stored`: the
 * pages that the rows fill are there already, for kernels that come after kv_quantize; for those that repair pages without what they write.
 */
export function packPages(
  kv: CpuKv,
  pages: PageTable,
  { rows, garbage, stored }: { rows: readonly StepRow[]; garbage: number; stored: boolean | "codes" },
): { readonly kv: Uint32Array<ArrayBuffer>; readonly tail: Uint32Array<ArrayBuffer> } {
  const { layout, table, pageCount } = pages;
  const words = new Uint32Array((pageCount * kvPageBytes(layout)) / 4).fill(garbage);
  const tail = new Uint32Array(((table.length / layout.maxPages) * kvTailBytes(layout)) / 4).fill(garbage);
  for (const { slot, position } of firstRows(rows)) {
    const own = Math.floor(position / layout.pageTokens);
    const last = lastPosition(rows, slot);
    const full = !stored ? own : Math.floor((stored === "codes" ? last + 1 : last) / layout.pageTokens);
    for (let page = 0; page < full; page++) {
      for (const at of headPages(layout, slot, page)) {
        const encoded = encodePage(layout, at.values, pageNumbers(kv, layout, at));
        const whole = stored !== "codes" || page < own;
        words.set(whole ? encoded : encoded.subarray(0, encoded.length - kvRepairWords(layout)), wordsAt(pages, at));
      }
    }
    for (let before = own * layout.pageTokens; before <= position; before++) storeInTail(tail, kv, layout, { slot, position: before });
  }
  return { kv: words, tail };
}

/** The same after the rows are in `kv`. Values are quantized at once, keys when their page is full, and the last page's rows are in the tail. */
export function storedPages(
  before: { readonly kv: Uint32Array; readonly tail: Uint32Array },
  kv: CpuKv,
  { pages, rows }: { pages: PageTable; rows: readonly StepRow[] },
): { readonly kv: Uint32Array; readonly tail: Uint32Array } {
  const { layout } = pages;
  const { pageTokens } = layout;
  const after = { kv: before.kv.slice(), tail: before.tail.slice() };
  for (const { slot, position } of rows) {
    const [page, token] = [Math.floor(position / pageTokens), position % pageTokens];
    for (const at of headPages(layout, slot, page)) {
      const words = encodePage(layout, at.values, pageNumbers(kv, layout, at));
      if (at.values) copyToken(after.kv.subarray(wordsAt(pages, at)), words, layout, token);
      else if (token === pageTokens - 1) after.kv.set(words.subarray(0, words.length - kvRepairWords(layout)), wordsAt(pages, at));
    }
    if (Math.floor(lastPosition(rows, slot) / pageTokens) === page) storeInTail(after.tail, kv, layout, { slot, position });
  }
  return after;
}

/** How much larger the squares of errors may be than with the reference's factors. */
const repairSlack = 1.001;

/**
 * Pages that a step has repaired: what it found is taken for right where it leaves no more of an error than the reference's words and a
 * thousandth, which rounding may cost; elsewhere the reference's words are wanted.
 */
export function repairedPages(
  before: Uint32Array,
  found: Uint32Array,
  { kv, pages, rows }: { kv: CpuKv; pages: PageTable; rows: readonly StepRow[] },
): Uint32Array {
  const { layout } = pages;
  const wanted = before.slice();
  for (const { slot, position } of rows) {
    if (position % layout.pageTokens !== layout.pageTokens - 1) continue;
    for (const at of headPages(layout, slot, Math.floor(position / layout.pageTokens))) {
      const data = pageNumbers(kv, layout, at);
      const words = encodePage(layout, at.values, data);
      const start = wordsAt(pages, at);
      const repair = words.length - kvRepairWords(layout);
      const merged = words.slice();
      merged.set(found.subarray(start + repair, start + words.length), repair);
      const errorOf = (one: Uint32Array): number =>
        decodePage(layout, at.values, one).reduce((sum, value, index) => sum + (value - data[index]) ** 2, 0);
      const right = errorOf(merged) <= repairSlack * errorOf(words);
      wanted.set((right ? merged : words).subarray(repair), start + repair);
    }
  }
  return wanted;
}

/** What a page has of one token's value. */
function copyToken(to: Uint32Array, from: Uint32Array, layout: KvLayout, token: number): void {
  const { codeWords, blocks } = pageSizes(layout);
  const shared = layout.pageTokens * codeWords;
  for (const [start, count] of [
    [token * codeWords, codeWords],
    [shared + token * blocks, blocks],
  ]) {
    to.set(from.subarray(start, start + count), start);
  }
}
