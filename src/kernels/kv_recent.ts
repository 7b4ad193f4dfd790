// Gathers what prefill sees of the page that its first row is in, and of all rows, in f16: kv_quantize and attention_prefill read it.

import { rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { kvName } from "./kv_layout.ts";
import {
  newBindings,
  newInputs,
  type PageAttributes,
  pageConsts,
  pageThreads,
  recentSpec,
  supportsPages,
  tailBinding,
} from "./kv_pages.ts";
import { makeHeader, variantKey } from "./target.ts";
import { activationBytes } from "./work.ts";

function variants({ kv }: PageAttributes, target: KernelTarget): readonly Variant[] {
  if (!supportsPages(target, kv)) return [];
  const threads = pageThreads(target);
  const cols = kv.numKvHeads * kv.headDim;
  return [
    {
      key: variantKey(target, "kv_recent", kvName(kv)),
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
