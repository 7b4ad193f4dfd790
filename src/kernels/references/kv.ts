// The KV cache on the CPU: where a vector lies, and what pages hold of a number.

import { f16ToF32, f32ToF16 } from "../../base/dtype.ts";
import type { KvLayout } from "../../base/layout.ts";
import type { CpuKv } from "../kernel.ts";
import { isKvTokenType, kvMax } from "../kv_layout.ts";
import { keptToken } from "./kv_tokens.ts";

/** What pages, or tails, hold of a number: what is finite stays finite. */
export function kvKept(kv: KvLayout, value: number): number {
  const most = kvMax(kv);
  const clamped = Number.isFinite(value) ? Math.min(Math.max(value, -most), most) : value;
  return kv.type !== "f32" ? f16ToF32(f32ToF16(clamped)) : Math.fround(clamped);
}

/** What pages hold of a head's vector. */
export function kvKeptVector(kv: KvLayout, vector: Float32Array): Float32Array {
  return isKvTokenType(kv.type) ? keptToken(kv.type, vector) : vector.map((value) => kvKept(kv, value));
}

/** First element of (slot, position, head) in `keys` and `values`. */
export function kvIndex(kv: CpuKv, layout: KvLayout, at: { slot: number; position: number; head: number }): number {
  return ((at.slot * kv.maxTokens + at.position) * layout.numKvHeads + at.head) * layout.headDim;
}
