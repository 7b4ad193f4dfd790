// Cases of the kernels kv_compact, kv_score_sums and kv_scores.

import type { KvLayout } from "../../base/layout.ts";
import type { KernelCase } from "../../kernels/kernel.ts";
import type { KvCompactAttributes } from "../../kernels/eviction_layout.ts";
import type { KvScoresAttributes } from "../../kernels/eviction_layout.ts";
import { testLayout } from "./page_layout.ts";

type Example = NonNullable<KvCompactAttributes["example"]>;

function moved(
  name: string,
  shape: { kvHeads: number; headDim: number; rotaryDim?: number; pageTokens?: number; type?: "f16"; pairing: "half" | "interleaved" },
  example: Partial<Example> & Pick<Example, "first" | "end">,
): KernelCase<KvCompactAttributes> {
  const { kvHeads, headDim, rotaryDim = headDim, pageTokens = 8, type = "f32", pairing } = shape;
  const kv: KvLayout = { ...testLayout({ numKvHeads: kvHeads, headDim, pageTokens, tokens: 160 }), type };
  const full: Example = { slots: [1, 1], each: false, turned: true, ...example };
  return { name, attributes: { kv, rotaryDim, pairing, maxPositions: 160, example: full }, rows: 1 };
}

export const kvCompactCases: readonly KernelCase<KvCompactAttributes>[] = [
  moved("4 of one head", { kvHeads: 1, headDim: 8, pairing: "half" }, { first: 0, end: 4 }),
  moved("in place, over pages", { kvHeads: 2, headDim: 64, pairing: "half" }, { first: 5, end: 68 }),
  moved("in place, 48 of 80 turn", { kvHeads: 3, headDim: 80, rotaryDim: 48, pairing: "half" }, { first: 3, end: 30 }),
  moved("in place, interleaved", { kvHeads: 2, headDim: 48, rotaryDim: 12, pairing: "interleaved" }, { first: 1, end: 50 }),
  moved("to other pages, not turned", { kvHeads: 2, headDim: 32, pairing: "half" }, { first: 8, end: 40, slots: [1, 0], turned: false }),
  moved("each head its own", { kvHeads: 3, headDim: 32, pairing: "half" }, { first: 2, end: 60, each: true, turned: false }),
  moved("each head its own, f16", { kvHeads: 2, headDim: 64, type: "f16", pairing: "interleaved" }, { first: 4, end: 33, each: true }),
];

function scored(
  name: string,
  shape: { heads: number; kvHeads: number; headDim: number; type?: "f16"; noiseSpan?: number },
  step: { rows: number; pastTokens: number; shift?: number },
): KernelCase<KvScoresAttributes> {
  const { heads, kvHeads, headDim, type = "f32", noiseSpan } = shape;
  const kv: KvLayout = { ...testLayout({ numKvHeads: kvHeads, headDim, pageTokens: 32, tokens: step.pastTokens + step.rows }), type };
  return {
    name,
    attributes: { kv, numHeads: heads, scale: 1 / Math.sqrt(headDim), ...(noiseSpan !== undefined && { noiseSpan }) },
    ...step,
  };
}

export const kvScoresCases: readonly KernelCase<KvScoresAttributes>[] = [
  scored("1 row", { heads: 1, kvHeads: 1, headDim: 8 }, { rows: 1, pastTokens: 0 }),
  scored("33 rows after 70", { heads: 6, kvHeads: 2, headDim: 64 }, { rows: 33, pastTokens: 70 }),
  scored("5 rows after 29, f16", { heads: 4, kvHeads: 1, headDim: 80, type: "f16" }, { rows: 5, pastTokens: 29 }),
  scored("34 rows after 31, noise", { heads: 4, kvHeads: 2, headDim: 32, noiseSpan: 40 }, { rows: 34, pastTokens: 31 }),
  scored(
    "6 rows after 9 and dropped ones, noise",
    { heads: 2, kvHeads: 2, headDim: 32, noiseSpan: 40 },
    { rows: 6, pastTokens: 9, shift: 50 },
  ),
];
