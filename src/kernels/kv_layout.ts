// What the kernels over the KV cache share: the consts of parts/kv and how a CPU reference finds a vector.

import { assert } from "../base/errors.ts";
import type { KvLayout } from "../base/layout.ts";
import type { ConstValue } from "../gpu/shader.ts";
import type { CpuKv, KernelBinding } from "./kernel.ts";

/** WGSL over the page layout; needs `kvConsts`, the `kv` and `pages` bindings. */
export const kvPart = "parts/kv/paged.wgsl";

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

/** First element of (slot, position, head) in `keys` and `values`. */
export function kvIndex(kv: CpuKv, layout: KvLayout, at: { slot: number; position: number; head: number }): number {
  return ((at.slot * kv.maxTokens + at.position) * layout.numKvHeads + at.head) * layout.headDim;
}
