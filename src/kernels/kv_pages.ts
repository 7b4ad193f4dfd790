// What kernels share over pages of the types that are quantized when a page is full: sizes, consts, parts and bindings; and the variant of
// kv_store for them. A query sees its own page in f16 (`tail`, or `recent` in prefill), those before it as pages have them.

import { f16ToF32, f32ToF16 } from "../base/dtype.ts";
import { assert } from "../base/errors.ts";
import { isKvPageType, kvBlock, kvKeyWords, type KvPageType, type KvRepair, kvValueWords } from "../base/kv_types.ts";
import { type KvLayout, rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { ConstValue } from "../gpu/shader.ts";
import type { InputSpec, KernelBinding, KernelTarget, OutputSpec, Variant } from "./kernel.ts";
import { kvName } from "./kv_layout.ts";
import { makeHeader, supports, variantKey } from "./target.ts";

export function kvCodeBits(type: KvPageType): 2 | 4 {
  return type === "q4" ? 4 : 2;
}

/** Whether shaders have the pages: tiles of 32 queries lie in one. */
export function supportsPages(target: KernelTarget, { type, pageTokens, headDim, order = "paged" }: KvLayout): boolean {
  return isKvPageType(type) && order === "paged" && pageTokens % 32 === 0 && headDim % 4 === 0 && supports(target);
}

/** Sizes of a kv head's page. */
export interface PageSizes {
  /** Words of a token's codes. */
  readonly codeWords: number;
  /** Blocks of a token's value, each with a step of its own. */
  readonly blocks: number;
}

export function pageSizes({ type, headDim }: KvLayout): PageSizes {
  assert(isKvPageType(type), `${type} is not quantized by pages`);
  return { codeWords: ceilDiv(headDim * kvCodeBits(type), 32), blocks: headDim / kvBlock(type, headDim) };
}

/** The consts of the parts: sizes in vec4 where numbers are meant. */
export function pageConsts(kv: KvLayout): Record<string, ConstValue> {
  const { type, headDim, pageTokens } = kv;
  assert(isKvPageType(type), `${type} is not quantized by pages`);
  const { codeWords, blocks } = pageSizes(kv);
  return {
    D4: headDim / 4,
    KV_HEADS: kv.numKvHeads,
    PAGE_TOKENS: pageTokens,
    MAX_PAGES: kv.maxPages,
    KV_NEXT: 1,
    KV_MAX: { f32: 65504 },
    CODE_BITS: kvCodeBits(type),
    CODE_WORDS: codeWords,
    CODE_FOURS: 8 / kvCodeBits(type),
    BLOCKS: blocks,
    BLOCK4: headDim / blocks / 4,
    KEY_WORDS: kvKeyWords(kv),
    VALUE_WORDS: kvValueWords(kv),
  };
}

/** Where a query's own page is read. */
export type OwnPage = "tail" | "recent";

/** WGSL of how attention reads keys and values. */
export function pageReadParts(own: OwnPage, repair?: KvRepair): readonly string[] {
  const repaired = `parts/kv_repair/${repair ?? "none"}.wgsl`;
  return ["parts/kv_read/pages.wgsl", repaired, `parts/kv_own/${own}.wgsl`, "parts/kv_pages/places.wgsl", "parts/kv_number/halves.wgsl"];
}

/** What writers of pages are made of. */
export const pageWriteParts: readonly string[] = ["parts/kv_pages/places.wgsl", "parts/kv_pages/encode.wgsl"];

export function pageBindings(access: "read" | "read_write"): readonly KernelBinding[] {
  return [
    { name: "kv", from: "kv", type: "array<u32>", access },
    { name: "pages", from: "pages", type: "array<u32>", access: "read" },
  ];
}

export function tailBinding(access: "read" | "read_write"): KernelBinding {
  return { name: "tail", from: "tail", type: "array<vec2<u32>>", access };
}

/** The bindings of attention: `recent` is its second input. */
export function pageReadBindings(own: OwnPage): readonly KernelBinding[] {
  const recent: KernelBinding = { name: "recent", from: "input1", type: "array<vec2<u32>>", access: "read" };
  return [...pageBindings("read"), own === "tail" ? tailBinding("read") : recent];
}

export function newBindings(): readonly KernelBinding[] {
  return [
    { name: "k", from: "input0", type: "array<vec4<act_t>>", access: "read" },
    { name: "v", from: "input1", type: "array<vec4<act_t>>", access: "read" },
  ];
}

/** k and v; for tests numbers that f16 has, since adapters may round others up or down, and codes are compared bit by bit. */
export function newInputs({ numKvHeads, headDim }: KvLayout): readonly InputSpec[] {
  const spec: InputSpec = { rows: "rows", cols: numKvHeads * headDim, type: "act", fill: (rng) => f16ToF32(f32ToF16(rng.normal())) };
  return [spec, spec];
}

/** Threads of a workgroup of what writes pages: little is shared, and CPU drivers have few cores. */
export function pageThreads({ deviceClass }: KernelTarget): number {
  return deviceClass === "cpu" ? 4 : 32;
}

/** kv_store for these types: writes the tail, and the page when it is full. */
export function pageStoreVariants(kv: KvLayout, target: KernelTarget): readonly Variant[] {
  if (!supportsPages(target, kv)) return [];
  const { codeWords, blocks } = pageSizes(kv);
  const threads = pageThreads(target);
  const consts = { WG: threads, STRIDE: rowStride(kv.numKvHeads * kv.headDim) / 4, ...pageConsts(kv) };
  return [
    {
      key: variantKey(target, "kv_store", kvName(kv)),
      precision: target.precision,
      header: makeHeader(target, consts),
      files: ["kv_store_pages.wgsl", "parts/kv_number/halves.wgsl", ...pageWriteParts],
      bindings: [...newBindings(), ...pageBindings("read_write"), tailBinding("read_write")],
      usesStep: true,
      grid: (step) => [ceilDiv(kv.numKvHeads * (codeWords + blocks), threads), step.rows, 1],
    },
  ];
}

export interface PageAttributes {
  readonly kv: KvLayout;
}

/** [pageTokens - 1 + rows, K|V, kv head, dim / 2]: a row for each place from the start of the first row's page on. */
export function recentSpec({ numKvHeads, headDim, pageTokens }: KvLayout): OutputSpec {
  return { rows: "rows", extraRows: pageTokens - 1, cols: numKvHeads * headDim, type: "u32", leaves: true };
}

/** `recent` as an input: that of rows that the cache holds already. */
export function recentInput(kv: KvLayout): InputSpec {
  const { rows, cols, type } = recentSpec(kv);
  const derive: InputSpec["derive"] = (args, referenceOf) =>
    referenceOf<PageAttributes>({ name: "kv_recent" })({ kv }, { ...args, inputs: [] })[0];
  return { rows, cols, type, derive };
}
