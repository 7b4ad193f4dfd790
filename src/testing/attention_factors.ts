// What attention is tested with: sizes, rules, types and orders of the cache, phases and classes. All pairs for `npm test`; every combination
// for `npm run gpu`.

import type { KvType } from "../base/kv_types.ts";
import { isKvNumber, isKvPageType, kvTypes } from "../base/kv_types.ts";
import type { KvLayout } from "../base/layout.ts";
import type { Caps, DeviceClass } from "../gpu/caps.ts";
import type { AttentionAttributes, AttentionRules } from "../kernels/attention.ts";
import { attentionDecode } from "../kernels/attention_decode.ts";
import { attentionPrefill } from "../kernels/attention_prefill.ts";
import type { Kernel, KernelCase, KernelTarget } from "../kernels/kernel.ts";
import { allPairs, type FactorRow } from "./all_pairs.ts";
import { testLayout } from "./kernel_cases/page_layout.ts";

const masks: Readonly<Record<string, AttentionRules>> = {
  causal: {},
  "window of 40": { mask: { window: 40 } },
  "window of 21, 5 sinks": { mask: { window: 21, sinks: 5 } },
};

const scores: Readonly<Record<string, AttentionRules>> = {
  scaled: {},
  capped: { score: { kind: "softcap", cap: 2 } },
  biased: { score: { kind: "alibi" } },
};

/** Values in the order that ties of all pairs are settled in. */
function factorsOf(caps: Caps): {
  readonly length: readonly number[];
  readonly headDim: readonly number[];
  readonly type: readonly KvType[];
  readonly group: readonly number[];
  readonly mask: readonly string[];
  readonly score: readonly string[];
  readonly phase: readonly ("prefill" | "decode")[];
  readonly deviceClass: readonly DeviceClass[];
  readonly precision: ReadonlyArray<"f32" | "f16">;
  readonly sinkLogits: readonly boolean[];
  readonly order: ReadonlyArray<"paged" | "contiguous">;
} {
  return {
    length: [1, 31, 32, 33, 257, 1024, 4096],
    headDim: [32, 64, 80, 96, 128, 256],
    type: kvTypes,
    group: [1, 2, 4, 7],
    mask: Object.keys(masks),
    score: Object.keys(scores),
    phase: ["prefill", "decode"],
    deviceClass: ["cpu", "gpu"],
    precision: caps.f16 ? ["f32", "f16"] : ["f32"],
    sinkLogits: [false, true],
    order: ["paged", "contiguous"],
  };
}

export type AttentionChoice = FactorRow<ReturnType<typeof factorsOf>>;

/** Multiply-adds of a case, which JavaScript repeats in float64. */
const mostMacs = 3e8;

function macsOf({ length, headDim, group, phase }: Partial<AttentionChoice>): number {
  const keys = (length ?? 1) * (phase === "prefill" ? ((length ?? 1) + 1) / 2 : 1);
  return 2 * keys * (headDim ?? 32) * (group ?? 1);
}

function allowed(choice: Partial<AttentionChoice>): boolean {
  if (choice.phase === "prefill" && choice.length === 4096) return false;
  if (choice.order === "contiguous" && choice.type && !isKvNumber(choice.type)) return false;
  return macsOf(choice) <= mostMacs;
}

export function pairedChoices(caps: Caps): AttentionChoice[] {
  return allPairs(factorsOf(caps), allowed);
}

/** All that share a length, a type and a head size. */
export function choicesOf(caps: Caps, fixed: Pick<AttentionChoice, "length" | "type" | "headDim">): AttentionChoice[] {
  const factors = Object.entries({ ...factorsOf(caps), length: [fixed.length], type: [fixed.type], headDim: [fixed.headDim] });
  const rows = factors.reduce<Record<string, unknown>[]>(
    (found, [name, values]) => found.flatMap((row) => values.map((value) => ({ ...row, [name]: value }))),
    [{}],
  );
  return (rows as AttentionChoice[]).filter(allowed);
}

/** Every length, type and head size. */
export function fullChoices(caps: Caps): ReadonlyArray<Pick<AttentionChoice, "length" | "type" | "headDim">> {
  const { length: lengths, type: types, headDim: headDims } = factorsOf(caps);
  return lengths.flatMap((length) => types.flatMap((type) => headDims.map((headDim) => ({ length, type, headDim }))));
}

export function choiceTitle(choice: AttentionChoice): string {
  const { phase, length, headDim, group, type, order, mask, score, sinkLogits, deviceClass, precision } = choice;
  const more = [mask, score, ...(sinkLogits ? ["sinks' logits"] : []), ...(order === "contiguous" ? [order] : [])];
  return `${phase} ${length}, heads of ${headDim}, groups of ${group}, ${type}, ${more.join(", ")}, ${precision}/${deviceClass}`;
}

export function targetOf(choice: AttentionChoice, caps: Caps): KernelTarget {
  const { deviceClass, precision, phase, length } = choice;
  return { caps, deviceClass, precision, maxRows: phase === "prefill" ? length : 1 };
}

/** Hands the kernel of a choice and its case, their types intact, to a visitor. */
export function visitChoice<R>(choice: AttentionChoice, visitor: <A>(kernel: Kernel<A>, kernelCase: KernelCase<A>) => R): R {
  const { phase, length, headDim, group, type, order, sinkLogits } = choice;
  // Two kv heads where that is cheap: addresses differ between them.
  const numKvHeads = length > 257 ? 1 : 2;
  const rules = { ...masks[choice.mask], ...scores[choice.score] };
  const layout = testLayout({ numKvHeads, headDim, pageTokens: isKvPageType(type) ? 64 : 32, tokens: length });
  const kv: KvLayout = { ...layout, type, order, ...(order === "contiguous" && { slots: 2 }) };
  const attributes: AttentionAttributes = {
    kv,
    numHeads: numKvHeads * group,
    scale: 1 / Math.sqrt(headDim),
    ...rules,
    ...(sinkLogits && { sinkLogits }),
  };
  const name = choiceTitle(choice);
  if (phase === "prefill") return visitor(attentionPrefill, { name, attributes, rows: length, pastTokens: 0 });
  const window = rules.mask && { window: rules.mask.window };
  const splitting = { ...attributes, splits: 4, splitTokens: 32, ...window };
  return visitor(attentionDecode, { name, attributes: splitting, rows: 1, pastTokens: length - 1, sequences: "each" });
}
