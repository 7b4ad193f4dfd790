// Gathers what prefill sees of the page that its first row is in, and of all rows, in f16: kv_quantize and attention_prefill read it.

import { assert } from "../base/errors.ts";
import { type KvLayout, rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { CpuArgs, CpuTensor, InputSpec, Kernel, KernelTarget, OutputSpec, Variant } from "./kernel.ts";
import { newBindings, newInputs, pageConsts, pageThreads, supportsPages, tailBinding } from "./kv_pages.ts";
import { makeHeader, variantKey } from "./target.ts";
import { activationBytes } from "./work.ts";

export interface PageAttributes {
  readonly kv: KvLayout;
}

/** [pageTokens - 1 + rows, K|V, kv head, dim / 2]: a row for each place from the start of the first row's page on. */
export function recentSpec({ numKvHeads, headDim, pageTokens }: KvLayout): OutputSpec {
  return { rows: "rows", extraRows: pageTokens - 1, cols: numKvHeads * headDim, type: "u32", leaves: true };
}

function variants({ kv }: PageAttributes, target: KernelTarget): readonly Variant[] {
  if (!supportsPages(target, kv)) return [];
  const threads = pageThreads(target);
  const cols = kv.numKvHeads * kv.headDim;
  return [
    {
      key: variantKey(target, "kv_recent", `kv_${kv.type}`),
      precision: target.precision,
      header: makeHeader(target, { WG: threads, STRIDE: rowStride(cols) / 4, ...pageConsts(kv) }),
      files: ["kv_recent.wgsl", "parts/kv_number/halves.wgsl"],
      bindings: [
        ...newBindings(),
        tailBinding("read"),
        { name: "recent", from: "output0", type: "array<vec2<u32>>", access: "read_write" },
      ],
      usesStep: true,
      grid: (step) => [ceilDiv(cols / 2, threads), kv.pageTokens - 1 + step.rows, 1],
    },
  ];
}

/** recent = (tail before the first row, k, v), rounded to f16; k, v [rows, numKvHeads * headDim]. */
export const kvRecent: Kernel<PageAttributes> = {
  name: "kv_recent",
  outputs: ({ kv }) => [recentSpec(kv)],
  variants,
  operands: ({ kv }) => ({ inputs: newInputs(kv), kv }),
  work: ({ kv }, step) => ({ bytes: activationBytes([...newInputs(kv), recentSpec(kv)], step), macs: 0 }),
};

/** What the cache holds of the rows, as kv_recent's inputs. */
function rowsOfCache({ numKvHeads, headDim }: KvLayout, { rows, kv }: CpuArgs): CpuTensor[] {
  assert(kv, "what is recent is in the cache");
  const cols = numKvHeads * headDim;
  return [kv.keys, kv.values].map((from) => {
    const data = new Float32Array(rows.length * cols);
    for (const [row, { slot, position }] of rows.entries()) {
      const at = (slot * kv.maxTokens + position) * cols;
      data.set(from.subarray(at, at + cols), row * cols);
    }
    return { rows: rows.length, cols, data };
  });
}

/** `recent` as an input: that of rows that the cache holds already. */
export function recentInput(kv: KvLayout): InputSpec {
  const { rows, cols, type } = recentSpec(kv);
  const derive: InputSpec["derive"] = (args, referenceOf) => referenceOf(kvRecent)({ kv }, { ...args, inputs: rowsOfCache(kv, args) })[0];
  return { rows, cols, type, derive };
}
