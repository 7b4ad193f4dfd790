// Pages of the types that are quantized when a page is full (`q4`, `kivi2`), on the CPU: codes of a token side by side, least first; then what
// they share, a word each of an f16 step (low half) and the f16 of the least value. Keys share over the tokens of a channel, values over the
// blocks of a token (KIVI, arXiv:2402.02750). Every rule is one of whole numbers or of exact products, so that shaders make the same words.

import { f16ToF32, f32ToF16 } from "../../base/dtype.ts";
import { assert } from "../../base/errors.ts";
import type { KvLayout } from "../../base/layout.ts";
import { isKvPageType, kvBlock, kvKeyWords, kvRepairWords, kvValueWords } from "../../base/kv_types.ts";
import type { CpuArgs, CpuKv, CpuTensor, StepRow } from "../kernel.ts";
import { kvCodeBits } from "../kv_pages.ts";
import type { PageAttributes } from "../kv_pages.ts";
import { kvIndex, kvKept } from "./kv.ts";
import { addRepair, repairWords } from "./kv_repair.ts";

const bits = new Uint32Array(1);
const floats = new Float32Array(bits.buffer);

/** Sizes of a kv head's page. */
interface PageSizes {
  readonly codeBits: 2 | 4;
  /** Numbers of a word of codes. */
  readonly perWord: number;
  /** Words of a token's codes. */
  readonly codeWords: number;
  /** Numbers of a value that share a step. */
  readonly block: number;
}

function sizesOf({ type, headDim }: KvLayout): PageSizes {
  assert(isKvPageType(type), `${type} is not quantized by pages`);
  const codeBits = kvCodeBits(type);
  return { codeBits, perWord: 32 / codeBits, codeWords: Math.ceil((headDim * codeBits) / 32), block: kvBlock(type, headDim) };
}

/** Bits of an f16 in the order of their numbers, -0 below 0. */
function ordered(half: number): number {
  return half & 0x8000 ? 0xffff - half : half | 0x8000;
}

/** The f16 nearest to a number that is not negative; of two the larger. */
function stepBits(value: number): number {
  if (value < 2 ** -14) return Math.floor(Math.fround(value * 2 ** 24 + 0.5));
  floats[0] = value;
  return (bits[0] + 0x1000 - 0x38000000) >>> 13;
}

/** The shared word of f16 bits: their least and a step that `2^codeBits - 1` of lead to the largest. Infinity or NaN make the step NaN. */
function sharedWord(halves: Uint16Array, codeBits: number): number {
  let [least, most] = [halves[0], halves[0]];
  for (const half of halves) {
    if ((half & 0x7c00) === 0x7c00) return 0x7e00;
    if (ordered(half) < ordered(least)) least = half;
    if (ordered(half) > ordered(most)) most = half;
  }
  const range = Math.fround(f16ToF32(most) - f16ToF32(least));
  const step = stepBits(Math.fround(range * Math.fround(1 / (2 ** codeBits - 1))));
  return ((least << 16) | step) >>> 0;
}

/** The code of a number this much above the least: the nearest, of two the larger. Of a step that is no number 0. */
function codeOf(above: number, step: number, codeBits: number): number {
  let code = 0;
  for (let bit = 1 << (codeBits - 1); bit > 0; bit >>= 1) if (above >= (code + bit - 0.5) * step) code += bit;
  return code;
}

/** Numbers that share a step: `count` of them from element `first` of [pageTokens, headDim] on, `pitch` apart. */
interface Span {
  readonly first: number;
  readonly count: number;
  readonly pitch: number;
}

/** In the order of their shared words: channels of keys, blocks of values. */
function spansOf({ headDim, pageTokens }: KvLayout, values: boolean, block: number): readonly Span[] {
  if (!values) return Array.from({ length: headDim }, (_, dim) => ({ first: dim, count: pageTokens, pitch: headDim }));
  return Array.from({ length: (pageTokens * headDim) / block }, (_, index) => ({ first: index * block, count: block, pitch: 1 }));
}

/** Words of a kv head's page; `data` [pageTokens, headDim] is rounded to f16. */
export function encodePage(layout: KvLayout, values: boolean, data: Float32Array): Uint32Array<ArrayBuffer> {
  const words = encodeCodes(layout, values, data);
  if (layout.repair) {
    const quantized = decodeCodes(layout, values, words);
    const halves = data.map((value) => f16ToF32(f32ToF16(value)));
    words.set(repairWords(layout, halves, quantized), words.length - kvRepairWords(layout));
  }
  return words;
}

/** Those without what repairs them. */
function encodeCodes(layout: KvLayout, values: boolean, data: Float32Array): Uint32Array<ArrayBuffer> {
  const { headDim, pageTokens } = layout;
  const { codeBits, perWord, codeWords, block } = sizesOf(layout);
  const words = new Uint32Array(values ? kvValueWords(layout) : kvKeyWords(layout));
  for (const [index, { first, count, pitch }] of spansOf(layout, values, block).entries()) {
    const halves = Uint16Array.from({ length: count }, (_, i) => f32ToF16(data[first + i * pitch]));
    const shared = sharedWord(halves, codeBits);
    words[pageTokens * codeWords + index] = shared;
    const [step, least] = [f16ToF32(shared & 0xffff), f16ToF32(shared >>> 16)];
    for (let i = 0; i < count; i++) {
      const at = first + i * pitch;
      const dim = at % headDim;
      const code = codeOf(Math.fround(f16ToF32(halves[i]) - least), step, codeBits);
      words[Math.floor(at / headDim) * codeWords + Math.floor(dim / perWord)] |= code << ((dim % perWord) * codeBits);
    }
  }
  return words;
}

/** [pageTokens, headDim] of a kv head's page. */
export function decodePage(layout: KvLayout, values: boolean, words: Uint32Array): Float32Array<ArrayBuffer> {
  const data = decodeCodes(layout, values, words);
  const length = values ? kvValueWords(layout) : kvKeyWords(layout);
  if (layout.repair) addRepair(layout, data, words.subarray(length - kvRepairWords(layout), length));
  return data;
}

function decodeCodes(layout: KvLayout, values: boolean, words: Uint32Array): Float32Array<ArrayBuffer> {
  const { headDim, pageTokens } = layout;
  const { codeBits, perWord, codeWords, block } = sizesOf(layout);
  const data = new Float32Array(pageTokens * headDim);
  for (const [index, { first, count, pitch }] of spansOf(layout, values, block).entries()) {
    const shared = words[pageTokens * codeWords + index];
    const [step, least] = [f16ToF32(shared & 0xffff), f16ToF32(shared >>> 16)];
    for (let i = 0; i < count; i++) {
      const at = first + i * pitch;
      const dim = at % headDim;
      const word = words[Math.floor(at / headDim) * codeWords + Math.floor(dim / perWord)];
      data[at] = Math.fround(((word >>> ((dim % perWord) * codeBits)) & (2 ** codeBits - 1)) * step + least);
    }
  }
  return data;
}

/** A page of a head of the cache, [pageTokens, headDim]. */
export function pageNumbers(kv: CpuKv, layout: KvLayout, at: { slot: number; page: number; head: number; values: boolean }): Float32Array {
  const { headDim, pageTokens } = layout;
  const data = new Float32Array(pageTokens * headDim);
  const from = at.values ? kv.values : kv.keys;
  for (let token = 0; token < pageTokens; token++) {
    const index = kvIndex(kv, layout, { slot: at.slot, position: at.page * pageTokens + token, head: at.head });
    data.set(from.subarray(index, index + headDim), token * headDim);
  }
  return data;
}

/** The cache as queries of these rows see the pages before their own; elsewhere as it is. The cache itself holds f16. */
export function quantizedPages(kv: CpuKv, layout: KvLayout, rows: readonly StepRow[]): CpuKv {
  const seen: CpuKv = { ...kv, keys: kv.keys.slice(), values: kv.values.slice() };
  const pages = new Map<number, number>();
  for (const { slot, position } of rows) pages.set(slot, Math.max(pages.get(slot) ?? 0, Math.floor(position / layout.pageTokens)));
  for (const [slot, count] of pages) {
    for (let page = 0; page < count; page++) {
      for (let head = 0; head < layout.numKvHeads; head++) {
        for (const values of [false, true]) {
          const to = values ? seen.values : seen.keys;
          const data = decodePage(layout, values, encodePage(layout, values, pageNumbers(kv, layout, { slot, page, head, values })));
          for (let token = 0; token < layout.pageTokens; token++) {
            const index = kvIndex(kv, layout, { slot, position: page * layout.pageTokens + token, head });
            to.set(data.subarray(token * layout.headDim, (token + 1) * layout.headDim), index);
          }
        }
      }
    }
  }
  return seen;
}

/** Words of f16 pairs, NaN where the kernel leaves a place alone. */
export function recentReference({ kv: layout }: PageAttributes, args: CpuArgs): readonly CpuTensor[] {
  const { kv, inputs, rows } = args;
  assert(kv, "what is recent is in the cache");
  const cols = layout.numKvHeads * layout.headDim;
  const places = layout.pageTokens - 1 + rows.length;
  const data = new Float32Array(places * cols).fill(Number.NaN);
  const words = new Uint32Array(data.buffer);
  const [{ slot, position }] = rows;
  const before = position % layout.pageTokens;
  for (let place = 0; place < before + rows.length; place++) {
    for (const [which, cache] of [kv.keys, kv.values].entries()) {
      const at = kvIndex(kv, layout, { slot, position: position - before + place, head: 0 });
      const from =
        place < before || inputs.length === 0
          ? cache.subarray(at, at + cols)
          : inputs[which].data.subarray((place - before) * cols, (place - before + 1) * cols);
      for (let pair = 0; pair < cols / 2; pair++) {
        const [low, high] = [f32ToF16(kvKept(layout, from[2 * pair])), f32ToF16(kvKept(layout, from[2 * pair + 1]))];
        words[place * cols + (which * cols) / 2 + pair] = low | (high << 16);
      }
    }
  }
  return [{ rows: places, cols, data }];
}

/** Pages hold what repairs them; the cache keeps numbers as they were (`encodePage`). */
export function repairPagesReference(): readonly CpuTensor[] {
  return [];
}

/** Input: `recent`. The cache keeps numbers as f16; whoever reads it quantizes (`quantizedPages`). */
export function quantizePagesReference({ kv: layout }: PageAttributes, args: CpuArgs): readonly CpuTensor[] {
  const { kv, rows, inputs } = args;
  assert(kv, "pages are in the cache");
  const [{ data, cols }] = inputs;
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const before = rows[0].position % layout.pageTokens;
  for (const [row, { slot, position }] of rows.entries()) {
    const at = kvIndex(kv, layout, { slot, position, head: 0 });
    for (let col = 0; col < cols; col++) {
      for (const [which, cache] of [kv.keys, kv.values].entries()) {
        const word = words[(before + row) * cols + (which * cols + col - (col % 2)) / 2];
        cache[at + col] = f16ToF32(col % 2 ? word >>> 16 : word & 0xffff);
      }
    }
  }
  return [];
}
