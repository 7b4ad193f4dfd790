// Cases of the kernel attention_prefill.

import type { PrefillAttributes } from "../../kernels/attention_prefill.ts";
import type { Quantized } from "../../kernels/codes.ts";
import type { KernelCase } from "../../kernels/kernel.ts";
import { testLayout } from "./page_layout.ts";

function testCase(
  name: string,
  shape: { heads: number; kvHeads: number; headDim: number; pageTokens?: number },
  step: { rows: number; pastTokens: number; type?: "f16"; quantized?: Quantized },
): KernelCase<PrefillAttributes> {
  const { heads, kvHeads, headDim, pageTokens = 32 } = shape;
  const { rows, pastTokens, type = "f32", quantized } = step;
  const layout = testLayout({ numKvHeads: kvHeads, headDim, pageTokens, tokens: rows + pastTokens });
  const attributes: PrefillAttributes = {
    kv: { ...layout, type },
    numHeads: heads,
    scale: 1 / Math.sqrt(headDim),
    ...(quantized && { quantized }),
  };
  return { name: quantized ? `${name}, codes ${quantized}` : name, attributes, rows, pastTokens };
}

/** With rules of masks and scores; crossed with sizes in kernels/attention_rules.gpu.test.ts. */
function withRules(
  name: string,
  rules: Partial<PrefillAttributes>,
  step: { rows: number; pastTokens: number },
): KernelCase<PrefillAttributes> {
  const { attributes, ...rest } = testCase(name, { heads: 6, kvHeads: 2, headDim: 32 }, step);
  return { ...rest, attributes: { ...attributes, ...rules } };
}

/** Keys and values without a page table. */
function contiguous(name: string, step: { rows: number; pastTokens: number }): KernelCase<PrefillAttributes> {
  const { attributes, ...rest } = testCase(name, { heads: 4, kvHeads: 2, headDim: 48 }, step);
  return { ...rest, attributes: { ...attributes, kv: { ...attributes.kv, order: "contiguous", slots: 3 } } };
}

export const attentionPrefillCases: readonly KernelCase<PrefillAttributes>[] = [
  contiguous("33 tokens after 31, one behind the other", { rows: 33, pastTokens: 31 }),
  withRules("a window of 40", { mask: { window: 40 } }, { rows: 67, pastTokens: 90 }),
  withRules("a window of 5 and 3 sinks", { mask: { window: 5, sinks: 3 } }, { rows: 67, pastTokens: 90 }),
  withRules("capped scores", { score: { kind: "softcap", cap: 2 } }, { rows: 33, pastTokens: 31 }),
  withRules("biased scores", { score: { kind: "alibi" } }, { rows: 33, pastTokens: 31 }),
  withRules("logits of sinks", { sinkLogits: true }, { rows: 33, pastTokens: 31 }),
  testCase("1 token", { heads: 1, kvHeads: 1, headDim: 8, pageTokens: 8 }, { rows: 1, pastTokens: 0 }),
  testCase("33 tokens, head of 8", { heads: 3, kvHeads: 1, headDim: 8, pageTokens: 8 }, { rows: 33, pastTokens: 0 }),
  testCase("33 tokens, head of 48", { heads: 2, kvHeads: 2, headDim: 48 }, { rows: 33, pastTokens: 0 }),
  testCase("1 token after 257", { heads: 4, kvHeads: 2, headDim: 64 }, { rows: 1, pastTokens: 257 }),
  testCase("33 tokens after 257", { heads: 4, kvHeads: 2, headDim: 64 }, { rows: 33, pastTokens: 257 }),
  testCase("67 tokens after 31, head of 80", { heads: 7, kvHeads: 1, headDim: 80 }, { rows: 67, pastTokens: 31 }),
  testCase("37 tokens, head of 96", { heads: 3, kvHeads: 3, headDim: 96 }, { rows: 37, pastTokens: 0 }),
  testCase("35 tokens after 64, head of 128", { heads: 4, kvHeads: 1, headDim: 128 }, { rows: 35, pastTokens: 64 }),
  testCase("33 tokens after 5, head of 256", { heads: 2, kvHeads: 1, headDim: 256 }, { rows: 33, pastTokens: 5 }),
  testCase("33 tokens after 257, f16 pages", { heads: 4, kvHeads: 2, headDim: 64 }, { rows: 33, pastTokens: 257, type: "f16" }),
  testCase("1 token after 257", { heads: 4, kvHeads: 2, headDim: 64 }, { rows: 1, pastTokens: 257, quantized: "only" }),
  testCase("35 tokens after 64, head of 32", { heads: 3, kvHeads: 1, headDim: 32 }, { rows: 35, pastTokens: 64, quantized: "also" }),
  testCase("33 tokens, head of 160", { heads: 2, kvHeads: 2, headDim: 160 }, { rows: 33, pastTokens: 0, quantized: "also" }),
];
