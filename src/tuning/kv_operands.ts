// The KV cache of a kernel's case: a shuffled page table, and random keys and values as the CPU and as the GPU have them, in every type.

import { f32ToF16, f16ToF32 } from "../base/dtype.ts";
import { type KvTokenType, kvValueWords } from "../base/kv_types.ts";
import { type KvLayout, kvPageBytes } from "../base/layout.ts";
import type { Rng } from "../base/rng.ts";
import type { CpuKv } from "../kernels/kernel.ts";
import { isKvTokenType } from "../kernels/kv_layout.ts";
import { decodeToken, encodeToken, type TokenWords } from "../kernels/references/kv_tokens.ts";

/** Fills whatever a kernel has to write, and slack it must not read; exact in f16. */
export const garbage = 12344;

/** Where the positions of the sequences lie: a shuffled page table and spare pages. */
export interface Pages {
  readonly layout: KvLayout;
  /** `[slot, maxPages]`. */
  readonly table: Uint32Array;
  /** Pages that each sequence has; the table's others are spare. */
  readonly slotPages: number;
  readonly pageCount: number;
}

/** A table over shuffled pages. */
export function makePages(layout: KvLayout, { slotCount, slotPages, rng }: { slotCount: number; slotPages: number; rng: Rng }): Pages {
  const used = slotCount * slotPages;
  // The length of the buffer says how many tokens a slot has room for.
  if (layout.order === "contiguous") return { layout, table: new Uint32Array(slotCount * layout.maxPages), slotPages, pageCount: used };
  const order = Array.from({ length: used + 1 }, (_, page) => page);
  for (let last = order.length - 1; last > 0; last--) {
    const other = rng.below(last + 1);
    [order[last], order[other]] = [order[other], order[last]];
  }
  const table = new Uint32Array(slotCount * layout.maxPages).fill(order[used]);
  for (let slot = 0; slot < slotCount; slot++) table.set(order.slice(slot * slotPages, (slot + 1) * slotPages), slot * layout.maxPages);
  return { layout, table, slotPages, pageCount: used + 1 };
}

/** A cache of random numbers, as the CPU and as the GPU have it. */
export function makeKv(pages: Pages, rng: Rng): { readonly kv: CpuKv; readonly bytes: Uint8Array<ArrayBuffer> } {
  const { layout, slotPages, table } = pages;
  const maxTokens = slotPages * layout.pageTokens;
  const count = (table.length / layout.maxPages) * maxTokens * layout.numKvHeads * layout.headDim;
  const draw = (): number => (layout.type === "f16" ? f16ToF32(f32ToF16(rng.normal())) : Math.fround(rng.normal()));
  const kv = { maxTokens, keys: Float32Array.from({ length: count }, draw), values: Float32Array.from({ length: count }, draw) };
  const bytes = packKv(kv, pages);
  // What is quantized is only then what the pages hold.
  return { kv: isKvTokenType(layout.type) ? unpackKv(bytes, pages) : kv, bytes };
}

/** Element index in the pages of (slot, position, head) and K (0) or V (1). */
function pageElement(pages: Pages, at: { slot: number; position: number; head: number; which: number }): number {
  const { pageTokens, numKvHeads, headDim, maxPages, order } = pages.layout;
  if (order === "contiguous") {
    return (((at.slot * 2 + at.which) * numKvHeads + at.head) * pages.slotPages * pageTokens + at.position) * headDim;
  }
  const page = pages.table[at.slot * maxPages + Math.floor(at.position / pageTokens)];
  return (((page * 2 + at.which) * numKvHeads + at.head) * pageTokens + (at.position % pageTokens)) * headDim;
}

/** Calls back for every vector of the cache with its offset in `CpuKv` and in the pages. */
function eachVector(pages: Pages, slotCount: number, visit: (cpu: number, gpu: number, which: number) => void): void {
  const { pageTokens, numKvHeads, headDim } = pages.layout;
  const maxTokens = pages.slotPages * pageTokens;
  for (let slot = 0; slot < slotCount; slot++) {
    for (let position = 0; position < maxTokens; position++) {
      for (let head = 0; head < numKvHeads; head++) {
        const cpu = ((slot * maxTokens + position) * numKvHeads + head) * headDim;
        for (const which of [0, 1]) visit(cpu, pageElement(pages, { slot, position, head, which }), which);
      }
    }
  }
}

/** First words of a vector's codes and of what its blocks share, in the pages of a type that quantizes tokens. */
function tokenPlace(layout: KvLayout, words: TokenWords, element: number): [codes: number, shared: number] {
  const token = element / layout.headDim;
  const start = Math.floor(token / layout.pageTokens) * kvValueWords(layout);
  const inPage = token % layout.pageTokens;
  return [start + inPage * words.codes.length, start + layout.pageTokens * words.codes.length + inPage * words.shared.length];
}

/** Pages of a type that quantizes tokens. */
function packTokens(kv: CpuKv, pages: Pages, type: KvTokenType): Uint8Array<ArrayBuffer> {
  const { layout, pageCount } = pages;
  const words = new Uint32Array((pageCount * kvPageBytes(layout)) / 4).fill(garbage);
  eachVector(pages, pages.table.length / layout.maxPages, (cpu, gpu, which) => {
    const token = encodeToken(type, (which === 0 ? kv.keys : kv.values).subarray(cpu, cpu + layout.headDim));
    const [codes, shared] = tokenPlace(layout, token, gpu);
    words.set(token.codes, codes);
    words.set(token.shared, shared);
  });
  return new Uint8Array(words.buffer);
}

function packKv(kv: CpuKv, pages: Pages): Uint8Array<ArrayBuffer> {
  const { layout, pageCount } = pages;
  if (isKvTokenType(layout.type)) return packTokens(kv, pages, layout.type);
  const half = layout.type === "f16";
  const bytes = new ArrayBuffer(pageCount * kvPageBytes(layout));
  const elements = half ? new Uint16Array(bytes) : new Float32Array(bytes);
  elements.fill(half ? f32ToF16(garbage) : garbage);
  eachVector(pages, pages.table.length / layout.maxPages, (cpu, gpu, which) => {
    const from = which === 0 ? kv.keys : kv.values;
    for (let d = 0; d < layout.headDim; d++) elements[gpu + d] = half ? f32ToF16(from[cpu + d]) : from[cpu + d];
  });
  return new Uint8Array(bytes);
}

/** The cache as a kernel left it. */
export function unpackKv(bytes: Uint8Array<ArrayBuffer>, pages: Pages): CpuKv {
  const { layout, table } = pages;
  const half = layout.type === "f16";
  const elements = half ? new Uint16Array(bytes.buffer) : new Float32Array(bytes.buffer);
  const slotCount = table.length / layout.maxPages;
  const maxTokens = pages.slotPages * layout.pageTokens;
  const count = slotCount * maxTokens * layout.numKvHeads * layout.headDim;
  const kv = { maxTokens, keys: new Float32Array(count), values: new Float32Array(count) };
  const sample = isKvTokenType(layout.type) ? encodeToken(layout.type, new Float32Array(layout.headDim)) : undefined;
  const words = new Uint32Array(bytes.buffer);
  eachVector(pages, slotCount, (cpu, gpu, which) => {
    const to = which === 0 ? kv.keys : kv.values;
    if (sample && isKvTokenType(layout.type)) {
      const [codes, shared] = tokenPlace(layout, sample, gpu);
      const token = {
        codes: words.subarray(codes, codes + sample.codes.length),
        shared: words.subarray(shared, shared + sample.shared.length),
      };
      to.set(decodeToken(layout.type, token, layout.headDim), cpu);
      return;
    }
    for (let d = 0; d < layout.headDim; d++) to[cpu + d] = half ? f16ToF32(elements[gpu + d]) : elements[gpu + d];
  });
  return kv;
}
