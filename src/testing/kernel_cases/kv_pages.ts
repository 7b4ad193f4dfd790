// Cases of kernels over pages that are quantized when they are full: kv_recent, kv_quantize, and kv_store for these types.

import type { KvLayout } from "../../base/layout.ts";
import type { KvPageType } from "../../base/kv_types.ts";
import type { AttentionAttributes } from "../../kernels/attention.ts";
import type { DecodeAttributes } from "../../kernels/attention_decode.ts";
import type { PrefillAttributes } from "../../kernels/attention_prefill.ts";
import type { KernelCase } from "../../kernels/kernel.ts";
import type { RepairAttributes } from "../../kernels/kv_repair.ts";
import type { PageAttributes } from "../../kernels/kv_pages.ts";
import { testLayout } from "./page_layout.ts";

const types: readonly KvPageType[] = ["q4", "kivi2"];

interface PageStep {
  readonly rows: number;
  readonly pastTokens: number;
  readonly sequences?: "each";
}

function pageCase(
  type: KvPageType,
  name: string,
  shape: { readonly kvHeads: number; readonly headDim: number; readonly pageTokens: number },
  step: PageStep,
): KernelCase<PageAttributes> {
  const { kvHeads, headDim, pageTokens } = shape;
  const tokens = step.pastTokens + (step.sequences ? 1 : step.rows);
  return { name, attributes: { kv: { ...testLayout({ numKvHeads: kvHeads, headDim, pageTokens, tokens }), type } }, ...step };
}

/** The case with pages that are repaired. */
function mended<A extends PageAttributes>(kernelCase: KernelCase<A>): KernelCase<A> {
  const { attributes, name } = kernelCase;
  return { ...kernelCase, name: `${name}, gear`, attributes: { ...attributes, kv: { ...attributes.kv, repair: "gear" } } };
}

/** Words that the type has no part in. */
export const kvRecentCases: readonly KernelCase<PageAttributes>[] = [
  pageCase("q4", "first token", { kvHeads: 1, headDim: 8, pageTokens: 32 }, { rows: 1, pastTokens: 0 }),
  pageCase("q4", "33 tokens after 61", { kvHeads: 3, headDim: 20, pageTokens: 32 }, { rows: 33, pastTokens: 61 }),
  pageCase("kivi2", "70 tokens, head of 64", { kvHeads: 2, headDim: 64, pageTokens: 64 }, { rows: 70, pastTokens: 0 }),
];

/** Pages that begin before the step, end with it, lie within it. */
export const kvQuantizeCases: readonly KernelCase<PageAttributes>[] = [
  ...kvRecentCases,
  pageCase("kivi2", "33 tokens after 61", { kvHeads: 3, headDim: 20, pageTokens: 32 }, { rows: 33, pastTokens: 61 }),
  ...types.map((type) =>
    pageCase(type, "1 token ends a page, head of 128", { kvHeads: 2, headDim: 128, pageTokens: 64 }, { rows: 1, pastTokens: 63 }),
  ),
  mended(pageCase("kivi2", "40 tokens after 30, head of 32", { kvHeads: 2, headDim: 32, pageTokens: 32 }, { rows: 40, pastTokens: 30 })),
  pageCase("q4", "100 tokens after 20, head of 96", { kvHeads: 2, headDim: 96, pageTokens: 32 }, { rows: 100, pastTokens: 20 }),
  pageCase(
    "kivi2",
    "44 tokens to the end of a page, head of 80",
    { kvHeads: 1, headDim: 80, pageTokens: 64 },
    { rows: 44, pastTokens: 84 },
  ),
];

export const pageStoreCases: readonly KernelCase<PageAttributes>[] = types.flatMap((type) => [
  mended(pageCase(type, "ends a page", { kvHeads: 2, headDim: 32, pageTokens: 32 }, { rows: 1, pastTokens: 63, sequences: "each" })),
  pageCase(type, "first token", { kvHeads: 1, headDim: 8, pageTokens: 32 }, { rows: 1, pastTokens: 0, sequences: "each" }),
  pageCase(type, "a page's last token", { kvHeads: 3, headDim: 20, pageTokens: 32 }, { rows: 1, pastTokens: 95, sequences: "each" }),
  // At 127, 86, 43 and so on: one of them fills its page.
  pageCase(type, "3 sequences", { kvHeads: 2, headDim: 64, pageTokens: 64 }, { rows: 3, pastTokens: 127, sequences: "each" }),
  pageCase(
    type,
    "a page's first token, head of 160",
    { kvHeads: 1, headDim: 160, pageTokens: 64 },
    { rows: 1, pastTokens: 64, sequences: "each" },
  ),
]);

/** A page that the first row ends, several, and none. */
export const kvRepairCases: ReadonlyArray<KernelCase<RepairAttributes>> = [
  ...types.flatMap((type) => [
    ofRows(type, "1 token ends a page, head of 64", { kvHeads: 2, headDim: 64, pageTokens: 64 }, { rows: 1, pastTokens: 63 }),
    ofRows(type, "3 sequences", { kvHeads: 2, headDim: 64, pageTokens: 64 }, { rows: 3, pastTokens: 127, sequences: "each" }),
  ]),
  ofRows("kivi2", "33 tokens after 61", { kvHeads: 3, headDim: 20, pageTokens: 32 }, { rows: 33, pastTokens: 61 }),
  ofRows("q4", "100 tokens after 20, head of 96", { kvHeads: 1, headDim: 96, pageTokens: 32 }, { rows: 100, pastTokens: 20 }),
  ofRows("kivi2", "5 tokens after 64", { kvHeads: 1, headDim: 8, pageTokens: 64 }, { rows: 5, pastTokens: 64 }),
];

function ofRows(...[type, name, shape, step]: Parameters<typeof pageCase>): KernelCase<RepairAttributes> {
  const { attributes, ...rest } = mended(pageCase(type, name, shape, step));
  return { ...rest, attributes: { ...attributes, own: step.sequences ? "tail" : "recent" } };
}

interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly pageTokens?: number;
}

function attentionOf(type: KvPageType, { heads, kvHeads, headDim, pageTokens = 64 }: AttentionShape, tokens: number): AttentionAttributes {
  const kv: KvLayout = { ...testLayout({ numKvHeads: kvHeads, headDim, pageTokens, tokens }), type };
  return { kv, numHeads: heads, scale: 1 / Math.sqrt(headDim) };
}

function prefillCase(
  type: KvPageType,
  name: string,
  shape: AttentionShape,
  step: { rows: number; pastTokens: number; attributes?: Partial<PrefillAttributes> },
): KernelCase<PrefillAttributes> {
  const { rows, pastTokens, attributes } = step;
  return { name, attributes: { ...attentionOf(type, shape, rows + pastTokens), ...attributes }, rows, pastTokens };
}

/** Rows of one page and of several, tiles that a page's border would cut. */
export const pagePrefillCases: readonly KernelCase<PrefillAttributes>[] = [
  ...types.map((type) =>
    prefillCase(type, "67 tokens after 49, page type", { heads: 4, kvHeads: 2, headDim: 64 }, { rows: 67, pastTokens: 49 }),
  ),
  ...types.map((type) =>
    mended(prefillCase(type, "40 tokens after 100", { heads: 4, kvHeads: 2, headDim: 32, pageTokens: 32 }, { rows: 40, pastTokens: 100 })),
  ),
  prefillCase("q4", "1 token, page type", { heads: 1, kvHeads: 1, headDim: 8 }, { rows: 1, pastTokens: 0 }),
  prefillCase(
    "q4",
    "67 tokens after 49, head of 48, page type",
    { heads: 3, kvHeads: 1, headDim: 48, pageTokens: 32 },
    { rows: 67, pastTokens: 49 },
  ),
  prefillCase("kivi2", "5 tokens after 125, head of 80, page type", { heads: 2, kvHeads: 1, headDim: 80 }, { rows: 5, pastTokens: 125 }),
  prefillCase(
    "q4",
    "35 tokens after 93, codes, page type",
    { heads: 2, kvHeads: 1, headDim: 64 },
    { rows: 35, pastTokens: 93, attributes: { quantized: "also" } },
  ),
];

function decodeCase(
  type: KvPageType,
  name: string,
  shape: AttentionShape,
  step: { rows: number; pastTokens: number },
): KernelCase<DecodeAttributes> {
  const { rows, pastTokens } = step;
  const attributes = { ...attentionOf(type, shape, Math.max(192, pastTokens + 1)), splits: 4, splitTokens: 32 };
  return { name, attributes, rows, pastTokens, sequences: "each" };
}

export const pageDecodeCases: readonly KernelCase<DecodeAttributes>[] = [
  ...types.map((type) => mended(decodeCase(type, "after 130", { heads: 4, kvHeads: 2, headDim: 64 }, { rows: 2, pastTokens: 130 }))),
  ...types.flatMap((type) =>
    [0, 63, 64, 65, 127, 128].map((past) =>
      decodeCase(type, `after ${past}, page type`, { heads: 4, kvHeads: 2, headDim: 64 }, { rows: 1, pastTokens: past }),
    ),
  ),
  decodeCase(
    "kivi2",
    "3 sequences up to 300, 7 heads a group, page type",
    { heads: 7, kvHeads: 1, headDim: 96 },
    { rows: 3, pastTokens: 300 },
  ),
  decodeCase("q4", "after 70, head of 20, page type", { heads: 1, kvHeads: 1, headDim: 20, pageTokens: 32 }, { rows: 1, pastTokens: 70 }),
];
