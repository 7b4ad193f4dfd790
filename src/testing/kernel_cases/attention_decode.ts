// Cases of the kernel attention_decode.

import type { KvLayout } from "../../base/layout.ts";
import { ceilDiv } from "../../base/math.ts";
import type { SplitAttributes } from "../../kernels/attention.ts";
import type { DecodeAttributes } from "../../kernels/attention_decode.ts";
import type { KernelCase } from "../../kernels/kernel.ts";
import { headsAttributes, type HeadsShape } from "./heads.ts";
import { testLayout } from "./page_layout.ts";

function testCase(
  name: string,
  shape: { heads: number; kvHeads: number; headDim: number; splitTokens?: number; splits?: number },
  step: { rows: number; pastTokens: number; type?: "f16" },
): KernelCase<SplitAttributes> {
  const { heads, kvHeads, headDim, splitTokens = 64 } = shape;
  const { rows, pastTokens, type = "f32" } = step;
  const kv: KvLayout = { ...testLayout({ numKvHeads: kvHeads, headDim, pageTokens: 32, tokens: pastTokens + 1 }), type };
  const { splits = ceilDiv(pastTokens + 1, splitTokens) } = shape;
  return {
    name,
    attributes: { kv, numHeads: heads, scale: 1 / Math.sqrt(headDim), splits, splitTokens },
    rows,
    pastTokens,
    sequences: "each",
  };
}

/** Cases of attention_merge, too. */
export const rangeCases: readonly KernelCase<SplitAttributes>[] = [
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
  testCase("after 1300, 4 ranges at most", { heads: 6, kvHeads: 2, headDim: 32, splits: 4 }, { rows: 1, pastTokens: 1300 }),
  testCase("9 sequences up to 400, 3 ranges at most", { heads: 2, kvHeads: 1, headDim: 64, splits: 3 }, { rows: 9, pastTokens: 400 }),
];

/** One row at `position`, or rows of sequences up to there. Ranges of 32 that grow from 4 on. */
function withPrologue(name: string, position: number, shape: HeadsShape & { rows?: number }): KernelCase<DecodeAttributes> {
  const prologue = headsAttributes(shape, position + 1);
  return {
    name: `${name}, at ${position}`,
    attributes: { kv: prologue.kv, numHeads: shape.heads, scale: 1 / Math.sqrt(shape.headDim), splits: 4, splitTokens: 32, prologue },
    rows: shape.rows ?? 1,
    pastTokens: position,
    sequences: "each",
  };
}

const prologueCases: readonly KernelCase<DecodeAttributes>[] = [
  withPrologue("heads of 8", 0, { heads: 1, kvHeads: 1, headDim: 8 }),
  withPrologue("groups of 2", 1, { heads: 4, kvHeads: 2, headDim: 64 }),
  withPrologue("groups of 4, norms", 7, { heads: 8, kvHeads: 2, headDim: 64, norms: true }),
  withPrologue("groups of 7, interleaved", 8, { heads: 14, kvHeads: 2, headDim: 64, pairing: "interleaved" }),
  withPrologue("groups of 8, norms", 31, { heads: 8, kvHeads: 1, headDim: 128, norms: true }),
  withPrologue("groups of 16", 32, { heads: 16, kvHeads: 1, headDim: 32 }),
  withPrologue("groups of 1, 32 of 80 turn", 127, { heads: 3, kvHeads: 3, headDim: 80, rotaryDim: 32 }),
  withPrologue("groups of 2, norms, interleaved", 128, { heads: 6, kvHeads: 3, headDim: 48, pairing: "interleaved", norms: true }),
  withPrologue("groups of 4", 129, { heads: 4, kvHeads: 1, headDim: 256 }),
  withPrologue("groups of 3, norms", 2000, { heads: 6, kvHeads: 2, headDim: 64, norms: true }),
  withPrologue("12 sequences, groups of 7, norms", 130, { heads: 7, kvHeads: 1, headDim: 64, norms: true, rows: 12 }),
  withPrologue("groups of 16, norms, f16 pages", 160, { heads: 16, kvHeads: 1, headDim: 128, norms: true, type: "f16" }),
  withPrologue("3 sequences, groups of 1, f16 pages", 129, { heads: 2, kvHeads: 2, headDim: 64, type: "f16", rows: 3 }),
];

/** With rules of masks and scores; crossed with sizes in kernels/attention_rules.gpu.test.ts. */
function withRules(name: string, rules: Partial<SplitAttributes>, pastTokens = 300): KernelCase<SplitAttributes> {
  const { attributes, ...rest } = testCase(
    name,
    { heads: 6, kvHeads: 2, headDim: 32, splits: 3, splitTokens: 32 },
    { rows: 2, pastTokens },
  );
  return { ...rest, attributes: { ...attributes, ...rules } };
}

const ruleCases: readonly KernelCase<DecodeAttributes>[] = [
  withRules("a window of 150", { mask: { window: 150 }, window: 150 }),
  withRules("a window of 40 and 5 sinks", { mask: { window: 40, sinks: 5 }, window: 40 }),
  withRules("a window longer than the past", { mask: { window: 400 }, window: 400 }),
  withRules("capped scores", { score: { kind: "softcap", cap: 2 } }),
  withRules("biased scores", { score: { kind: "alibi" } }),
  withRules("logits of sinks", { sinkLogits: true }),
];

const fusedRules = withPrologue("groups of 3, norms, a window, logits of sinks", 200, { heads: 6, kvHeads: 2, headDim: 64, norms: true });

/** Keys and values of slots one behind the other, without a page table. */
function contiguous<A extends DecodeAttributes>({ name, attributes, ...rest }: KernelCase<A>, type: "f32" | "f16"): KernelCase<A> {
  const kv: KvLayout = { ...attributes.kv, type, order: "contiguous", slots: rest.rows + 1 };
  const prologue = attributes.prologue && { prologue: { ...attributes.prologue, kv } };
  return { ...rest, name: `${name}, one behind the other`, attributes: { ...attributes, kv, ...prologue } };
}

export const attentionDecodeCases: readonly KernelCase<DecodeAttributes>[] = [
  ...rangeCases,
  ...ruleCases,
  contiguous(rangeCases[2], "f32"),
  contiguous(rangeCases[3], "f16"),
  contiguous(prologueCases[11], "f32"),
  ...prologueCases,
  { ...fusedRules, attributes: { ...fusedRules.attributes, mask: { window: 70, sinks: 4 }, window: 70, sinkLogits: true } },
];
