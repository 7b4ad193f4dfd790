// What the kernels over the KV cache share: the consts of parts/kv and how a CPU reference finds a vector.

import { f16ToF32, f32ToF16 } from "../base/dtype.ts";
import { assert } from "../base/errors.ts";
import type { KvLayout } from "../base/layout.ts";
import type { ConstValue } from "../gpu/shader.ts";
import type { CpuKv, KernelBinding } from "./kernel.ts";

/** WGSL over the page layout; needs `kvConsts`, the `kv` and `pages` bindings. */
export const kvPart = "parts/kv/paged.wgsl";

/** WGSL of what pages hold of a number; needs `kvMax` as KV_MAX. */
export const kvClampedPart = "parts/kv_clamped.wgsl";

/** The largest number that pages hold. */
export function kvMax({ type }: KvLayout): number {
  return type === "f16" ? 65504 : 3.4e38;
}

/** What pages hold of a number: what is finite stays finite. */
export function kvKept(kv: KvLayout, value: number): number {
  const most = kvMax(kv);
  const clamped = Number.isFinite(value) ? Math.min(Math.max(value, -most), most) : value;
  return kv.type === "f16" ? f16ToF32(f32ToF16(clamped)) : Math.fround(clamped);
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

/** First element of (slot, position, head) in `keys` and `values`. */
export function kvIndex(kv: CpuKv, layout: KvLayout, at: { slot: number; position: number; head: number }): number {
  return ((at.slot * kv.maxTokens + at.position) * layout.numKvHeads + at.head) * layout.headDim;
}
