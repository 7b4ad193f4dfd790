// Cases of the kernel attention_decode.

import type { KvLayout } from "../../base/layout.ts";
import { ceilDiv } from "../../base/math.ts";
import type { SplitAttributes } from "../../kernels/attention.ts";
import type { KernelCase } from "../../kernels/kernel.ts";
import { testLayout } from "./page_layout.ts";

function testCase(
  name: string,
  shape: { heads: number; kvHeads: number; headDim: number; splitTokens?: number },
  step: { rows: number; pastTokens: number; type?: "f16" },
): KernelCase<SplitAttributes> {
  const { heads, kvHeads, headDim, splitTokens = 64 } = shape;
  const { rows, pastTokens, type = "f32" } = step;
  const kv: KvLayout = { ...testLayout({ numKvHeads: kvHeads, headDim, pageTokens: 32, tokens: pastTokens + 1 }), type };
  const splits = ceilDiv(pastTokens + 1, splitTokens);
  return {
    name,
    attributes: { kv, numHeads: heads, scale: 1 / Math.sqrt(headDim), splits, splitTokens },
    rows,
    pastTokens,
    sequences: "each",
  };
}

export const attentionDecodeCases: readonly KernelCase<SplitAttributes>[] = [
  testCase("1 token", { heads: 1, kvHeads: 1, headDim: 8 }, { rows: 1, pastTokens: 0 }),
  testCase("after 257", { heads: 4, kvHeads: 2, headDim: 64 }, { rows: 1, pastTokens: 257 }),
  testCase(
    "4 sequences up to 300, 7 heads a group",
    { heads: 14, kvHeads: 2, headDim: 48, splitTokens: 128 },
    { rows: 4, pastTokens: 300 },
  ),
  testCase("3 sequences up to 127, head of 80", { heads: 3, kvHeads: 3, headDim: 80 }, { rows: 3, pastTokens: 127 }),
  testCase(
    "after 700, head of 128, 16 heads a group",
    { heads: 16, kvHeads: 1, headDim: 128, splitTokens: 256 },
    { rows: 1, pastTokens: 700 },
  ),
  testCase("after 95, head of 256", { heads: 8, kvHeads: 1, headDim: 256 }, { rows: 1, pastTokens: 95 }),
  testCase("2 sequences up to 257, f16 pages", { heads: 4, kvHeads: 2, headDim: 64 }, { rows: 2, pastTokens: 257, type: "f16" }),
];
