// What the kernels over the KV cache share: the parts that address, hold and read it, their consts and bindings.

import { assert } from "../base/errors.ts";
import { isKvNumber, isKvPageType, type KvTokenType, kvBlock, kvValueWords } from "../base/kv_types.ts";
import type { KvLayout } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { ConstValue } from "../gpu/shader.ts";
import type { KernelBinding, KernelTarget } from "./kernel.ts";
import { supports } from "./target.ts";

/** Whether numbers of f16 pages are pairs in words, because shaders have no f16. The bytes are the same. */
function inHalves({ type }: KvLayout, { caps }: KernelTarget): boolean {
  return type === "f16" && !caps.f16;
}

/** How keys of variants name what the pages are. */
export function kvName({ type, repair }: KvLayout): string {
  return repair ? `kv_${type}_${repair}` : `kv_${type}`;
}

/** Whether tokens are quantized as they are stored. */
export function isKvTokenType(type: KvLayout["type"]): type is KvTokenType {
  return !isKvNumber(type) && !isKvPageType(type);
}

/** WGSL of where a token's vectors lie, what is held of a number, and how keys and values are read. Need `kvConsts` and `kvBindings`. */
export function kvParts(kv: KvLayout, target: KernelTarget): readonly string[] {
  if (isKvTokenType(kv.type)) return ["parts/kv/paged.wgsl", `parts/kv_read/${kv.type}.wgsl`];
  return [
    `parts/kv/${kv.order ?? "paged"}.wgsl`,
    `parts/kv_number/${inHalves(kv, target) ? "halves" : "plain"}.wgsl`,
    "parts/kv_read/fours.wgsl",
  ];
}

/** The largest number that pages hold. */
export function kvMax({ type }: KvLayout): number {
  return type === "f32" ? 3.4e38 : 65504;
}

/** The consts of the parts: sizes in vec4. */
export function kvConsts(kv: KvLayout): Record<string, ConstValue> {
  assert(kv.headDim % 4 === 0, `heads of ${kv.headDim} split a vec4`);
  return {
    D4: kv.headDim / 4,
    KV_HEADS: kv.numKvHeads,
    PAGE_TOKENS: kv.pageTokens,
    MAX_PAGES: kv.maxPages,
    ...(kv.order === "contiguous" && { SLOTS: kv.slots ?? 1 }),
    ...(isKvTokenType(kv.type) ? tokenConsts(kv, kv.type) : { KV_NEXT: kv.headDim / 4, KV_MAX: { f32: kvMax(kv) } }),
  };
}

/** Words of a token's codes and of what its blocks share, fours of a block, blocks of a shared word, fours of a word of codes. */
function tokenConsts(kv: KvLayout, type: KvTokenType): Record<string, ConstValue> {
  const { headDim, pageTokens } = kv;
  const block = kvBlock(type, headDim);
  const [perWord, fours] = type === "q8_0" ? [2, 1] : [4, 2];
  const [codes, shared] = [ceilDiv(headDim, 4 * fours), ceilDiv(headDim / block, perWord)];
  const unit = kvValueWords(kv);
  assert(unit === pageTokens * (codes + shared), `${type} takes ${unit} words, not ${codes} and ${shared} for each token`);
  return { KV_NEXT: 1, KV_CODES: codes, KV_SHARED: shared, KV_UNIT: unit, KV_BLOCK4: block / 4, KV_PER_WORD: perWord, KV_FOURS: fours };
}

/** Whether kernels have the type. f16 pages need no f16 in shaders. */
export function supportsKv(target: KernelTarget, { type, order = "paged" }: KvLayout): boolean {
  return (order === "paged" ? !isKvPageType(type) : isKvNumber(type)) && supports(target);
}

/** The types that the parts are written with. */
export function kvAliases(kv: KvLayout, target: KernelTarget): Readonly<Record<string, "f32" | "f16">> {
  return isKvNumber(kv.type) && !inHalves(kv, target) ? { kv_t: kv.type } : {};
}

/** Pages of fours, or of words where they hold codes. */
export function kvBindings(access: "read" | "read_write", kv?: KvLayout): readonly KernelBinding[] {
  return [
    { name: "kv", from: "kv", type: !kv || isKvNumber(kv.type) ? "array<kv_four>" : "array<u32>", access },
    { name: "pages", from: "pages", type: "array<u32>", access: "read" },
  ];
}
