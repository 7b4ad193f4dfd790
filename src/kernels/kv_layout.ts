// What the kernels over the KV cache share: the parts that address, hold and read it, their consts and bindings.

import { assert } from "../base/errors.ts";
import { isKvNumber } from "../base/kv_types.ts";
import type { KvLayout } from "../base/layout.ts";
import type { ConstValue } from "../gpu/shader.ts";
import type { KernelBinding, KernelTarget } from "./kernel.ts";
import { supports } from "./target.ts";

/** Whether numbers of f16 pages are pairs in words, because shaders have no f16. The bytes are the same. */
function inHalves({ type }: KvLayout, { caps }: KernelTarget): boolean {
  return type === "f16" && !caps.f16;
}

/** WGSL of where a token's vectors lie, what is held of a number, and how keys and values are read. Need `kvConsts` and `kvBindings`. */
export function kvParts(kv: KvLayout, target: KernelTarget): readonly string[] {
  return ["parts/kv/paged.wgsl", `parts/kv_number/${inHalves(kv, target) ? "halves" : "plain"}.wgsl`, "parts/kv_read/fours.wgsl"];
}

/** The largest number that pages hold. */
export function kvMax({ type }: KvLayout): number {
  return type === "f16" ? 65504 : 3.4e38;
}

/** The consts of the parts: sizes in vec4. */
export function kvConsts(kv: KvLayout): Record<string, ConstValue> {
  assert(kv.headDim % 4 === 0, `heads of ${kv.headDim} split a vec4`);
  return {
    D4: kv.headDim / 4,
    KV_HEADS: kv.numKvHeads,
    PAGE_TOKENS: kv.pageTokens,
    MAX_PAGES: kv.maxPages,
    KV_NEXT: kv.headDim / 4,
    KV_MAX: { f32: kvMax(kv) },
  };
}

/** Whether kernels have the type. f16 pages need no f16 in shaders. */
export function supportsKv(target: KernelTarget, { type, order = "paged" }: KvLayout): boolean {
  return order === "paged" && isKvNumber(type) && supports(target);
}

/** The types that the parts are written with. */
export function kvAliases(kv: KvLayout, target: KernelTarget): Readonly<Record<string, "f32" | "f16">> {
  const { type } = kv;
  assert(isKvNumber(type), `${type} is no type of single numbers`);
  return inHalves(kv, target) ? {} : { kv_t: type };
}

export function kvBindings(access: "read" | "read_write"): readonly KernelBinding[] {
  return [
    { name: "kv", from: "kv", type: "array<kv_four>", access },
    { name: "pages", from: "pages", type: "array<u32>", access: "read" },
  ];
}
