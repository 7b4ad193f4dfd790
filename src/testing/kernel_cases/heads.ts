// Cases of the kernel heads, and of attention_decode's prologue.

import type { KvType } from "../../base/layout.ts";
import { alignUp } from "../../base/math.ts";
import type { HeadsAttributes } from "../../kernels/heads.ts";
import type { KernelCase } from "../../kernels/kernel.ts";
import { testLayout } from "./page_layout.ts";

export interface HeadsShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly rotaryDim?: number;
  readonly pairing?: "half" | "interleaved";
  readonly norms?: boolean;
  readonly type?: KvType;
}

/** A stack of queries, keys and values whose parts start at multiples of 8, with room for `tokens`. */
export function headsAttributes(shape: HeadsShape, tokens: number): HeadsAttributes {
  const { heads, kvHeads, headDim, rotaryDim = headDim, pairing = "half", norms = false, type = "f32" } = shape;
  const keyStart = alignUp(heads * headDim, 8);
  const valueStart = alignUp(keyStart + kvHeads * headDim, 8);
  return {
    kv: { ...testLayout({ numKvHeads: kvHeads, headDim, pageTokens: 32, tokens }), type },
    numHeads: heads,
    headDim,
    rotaryDim,
    pairing,
    maxPositions: alignUp(tokens, 32),
    keyStart,
    valueStart,
    cols: alignUp(valueStart + kvHeads * headDim, 8),
    ...(norms && { qNorm: { eps: 1e-6 }, kNorm: { eps: 1e-2 } }),
  };
}

function testCase(
  name: string,
  shape: HeadsShape,
  { rows, pastTokens = 0, each = false }: { rows: number; pastTokens?: number; each?: boolean },
): KernelCase<HeadsAttributes> {
  const attributes = headsAttributes(shape, pastTokens + rows);
  return { name, attributes, rows, pastTokens, sequences: each ? "each" : "one" };
}

export const headsCases: readonly KernelCase<HeadsAttributes>[] = [
  testCase("1 token, 2 heads of 8", { heads: 2, kvHeads: 1, headDim: 8 }, { rows: 1 }),
  testCase("1 token after 40, 3 heads of 12 with gaps", { heads: 3, kvHeads: 1, headDim: 12, rotaryDim: 8 }, { rows: 1, pastTokens: 40 }),
  testCase(
    "llama: 5 tokens after 29, interleaved",
    { heads: 4, kvHeads: 2, headDim: 64, pairing: "interleaved" },
    { rows: 5, pastTokens: 29 },
  ),
  testCase("qwen3: 1 token after 37", { heads: 4, kvHeads: 2, headDim: 128, norms: true }, { rows: 1, pastTokens: 37 }),
  testCase("qwen3: 33 tokens after 31, 7 heads of 80", { heads: 7, kvHeads: 1, headDim: 80, norms: true }, { rows: 33, pastTokens: 31 }),
  testCase("6 heads of 48, 16 turn", { heads: 6, kvHeads: 3, headDim: 48, rotaryDim: 16 }, { rows: 3, pastTokens: 7 }),
  testCase(
    "6 heads of 48, 12 turn, interleaved, norms",
    { heads: 6, kvHeads: 3, headDim: 48, rotaryDim: 12, pairing: "interleaved", norms: true },
    { rows: 6, pastTokens: 7 },
  ),
  testCase("5 sequences, head of 32", { heads: 5, kvHeads: 5, headDim: 32 }, { rows: 5, pastTokens: 90, each: true }),
  testCase(
    "9 sequences, f16 pages",
    { heads: 4, kvHeads: 2, headDim: 64, norms: true, type: "f16" },
    { rows: 9, pastTokens: 90, each: true },
  ),
  testCase("1 token, head of 256, f16 pages", { heads: 2, kvHeads: 1, headDim: 256, norms: true, type: "f16" }, { rows: 1, pastTokens: 3 }),
  {
    ...testCase("3 tokens after dropped ones, norms", { heads: 4, kvHeads: 2, headDim: 64, norms: true }, { rows: 3, pastTokens: 70 }),
    pastTokens: 9,
    shift: 60,
  },
];
