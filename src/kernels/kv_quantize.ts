// Quantizes the pages that prefill fills, and leaves what is in the last one in the slot's tail.

import { ceilDiv } from "../base/math.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { kvName } from "./kv_layout.ts";
import {
  type PageAttributes,
  pageBindings,
  pageConsts,
  pageSizes,
  pageThreads,
  pageWriteParts,
  recentInput,
  recentSpec,
  supportsPages,
  tailBinding,
} from "./kv_pages.ts";
import { makeHeader, variantKey } from "./target.ts";
import { activationBytes, kvBytes } from "./work.ts";

function variants({ kv }: PageAttributes, target: KernelTarget): readonly Variant[] {
  if (!supportsPages(target, kv)) return [];
  const { codeWords, blocks } = pageSizes(kv);
  const threads = pageThreads(target);
  // Words in, words out: the same whatever activations are.
  const plain: KernelTarget = { ...target, precision: "f32" };
  return [
    {
      key: variantKey(plain, "kv_quantize", kvName(kv)),
      precision: target.precision,
      header: makeHeader(plain, { WG: threads, ...pageConsts(kv) }),
      files: ["kv_quantize.wgsl", ...pageWriteParts],
      bindings: [
        { name: "recent", from: "input0", type: "array<vec2<u32>>", access: "read" },
        ...pageBindings("read_write"),
        tailBinding("read_write"),
      ],
      usesStep: true,
      grid: (step) => {
        const fullPages = Math.floor((kv.pageTokens - 1 + step.rows) / kv.pageTokens);
        return [ceilDiv(kv.numKvHeads * Math.max(fullPages * codeWords, step.rows * blocks), threads), 2, 1];
      },
    },
  ];
}

/** The pages of a step's rows, from what kv_recent gathered; writes pages and tails, has no output. */
export const kvQuantize: Kernel<PageAttributes> = {
  name: "kv_quantize",
  outputs: () => [],
  variants,
  operands: ({ kv }) => ({ inputs: [recentInput(kv)], kv }),
  work: ({ kv }, step) => ({ bytes: activationBytes([recentSpec(kv)], step) + kvBytes(kv, step.rows), macs: 0 }),
};
