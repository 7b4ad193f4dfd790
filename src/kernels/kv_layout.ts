// What the kernels over the KV cache share: the consts of parts/kv and its bindings.

import { assert } from "../base/errors.ts";
import type { KvLayout } from "../base/layout.ts";
import type { ConstValue } from "../gpu/shader.ts";
import type { KernelBinding } from "./kernel.ts";

/** WGSL over the page layout; needs `kvConsts`, the `kv` and `pages` bindings. */
export const kvPart = "parts/kv/paged.wgsl";

/** WGSL of what pages hold of a number; needs `kvMax` as KV_MAX. */
export const kvClampedPart = "parts/kv_clamped.wgsl";

/** The largest number that pages hold. */
export function kvMax({ type }: KvLayout): number {
  return type === "f16" ? 65504 : 3.4e38;
}

/** The consts of the part: sizes in vec4. */
export function kvConsts(kv: KvLayout): Record<string, ConstValue> {
  assert(kv.headDim % 4 === 0, `heads of ${kv.headDim} split a vec4`);
  return { D4: kv.headDim / 4, KV_HEADS: kv.numKvHeads, PAGE_TOKENS: kv.pageTokens, MAX_PAGES: kv.maxPages };
}

export function kvBindings(access: "read" | "read_write"): readonly KernelBinding[] {
  return [
    { name: "kv", from: "kv", type: "array<vec4<kv_t>>", access },
    { name: "pages", from: "pages", type: "array<u32>", access: "read" },
  ];
}
