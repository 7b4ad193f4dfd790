// The KV cache of a kernel's case for types that are quantized a page at a time: what pages and tails hold before a step and after it.

import { assert } from "../base/errors.ts";
import { f16ToF32, f32ToF16 } from "../base/dtype.ts";
import type { Rng } from "../base/rng.ts";
import type { CpuArgs, CpuKv, StepRow } from "../kernels/kernel.ts";
import { packPages, repairedPages, storedPages } from "../kernels/references/kv_page_words.ts";
import type { Found } from "./execute.ts";
import { garbage, type Pages } from "./kv_operands.ts";

/** Random f16 on the CPU, and on the GPU what a step of these rows finds of them, or what is `stored` of it, too. */
export function makePageKv(
  pages: Pages,
  rng: Rng,
  { rows, stored }: { readonly rows: readonly StepRow[]; readonly stored: boolean | "codes" },
): { readonly kv: CpuKv; readonly bytes: Uint8Array<ArrayBuffer>; readonly tail: Uint8Array<ArrayBuffer> } {
  const { layout, table, slotPages } = pages;
  const maxTokens = slotPages * layout.pageTokens;
  const length = (table.length / layout.maxPages) * maxTokens * layout.numKvHeads * layout.headDim;
  const draw = (): number => f16ToF32(f32ToF16(rng.normal()));
  const kv = { maxTokens, keys: Float32Array.from({ length }, draw), values: Float32Array.from({ length }, draw) };
  const packed = packPages(kv, pages, { rows, garbage, stored });
  return { kv, bytes: new Uint8Array(packed.kv.buffer), tail: new Uint8Array(packed.tail.buffer) };
}

/** Pages and tails as rows that are in `after.kv` leave them; undefined of other types. `found`: of a kernel that repairs pages. */
export function expectedPages(
  {
    pages,
    bytes,
    repairs,
  }: { readonly pages: Pages; readonly bytes: ReadonlyMap<string, Uint8Array<ArrayBuffer>>; readonly repairs?: true },
  after: Pick<CpuArgs, "kv" | "rows">,
  found?: Found,
): { readonly kv: Uint32Array; readonly tail: Uint32Array } | undefined {
  const [kv, tail] = [bytes.get("kv"), bytes.get("tail")];
  if (!after.kv || !kv || !tail) return undefined;
  const before = { kv: new Uint32Array(kv.buffer), tail: new Uint32Array(tail.buffer) };
  if (repairs) {
    const words = found?.get("kv");
    assert(words, "what repairs pages is judged by what it wrote");
    return { ...before, kv: repairedPages(before.kv, new Uint32Array(words.slice().buffer), { kv: after.kv, pages, rows: after.rows }) };
  }
  return storedPages(before, after.kv, { pages, rows: after.rows });
}
