// Lowers attention: heads made ready (by a kernel before it, or by its prologue), keys and values stored, then one kernel over whole
// sequences, or in decode one over ranges of them and what joins those.

import { assert } from "../base/errors.ts";
import { isKvPageType } from "../base/kv_types.ts";
import type { KvLayout } from "../base/layout.ts";
import { type AttentionAttributes, partialCols, rangedTokens, type SplitAttributes } from "../kernels/attention.ts";
import { attentionDecode, chooseSplits, type DecodeAttributes } from "../kernels/attention_decode.ts";
import { attentionMerge, type MergeAttributes } from "../kernels/attention_merge.ts";
import { attentionPrefill, type PrefillAttributes } from "../kernels/attention_prefill.ts";
import { heads, type HeadsAttributes } from "../kernels/heads.ts";
import { kvStore } from "../kernels/kv_store.ts";
import { type CallOperands, kernelCall, type KernelCall, type VectorRange } from "./call.ts";
import { passesOver } from "./cascade.ts";
import type { Codes } from "./codes.ts";
import type { AttentionNode, StackedHeads } from "./ir.ts";
import type { LowerOptions, ReadyQuery, ValueSource } from "./lowering.ts";

/** What lowering of a node may need. */
export interface Lowering {
  readonly options: LowerOptions;
  readonly values: ValueSource;
  readonly codes: Codes;
}

/** Attributes of the kernel, or the prologue, that makes stacked heads ready. */
export function headsAttributes({ numHeads, headDim }: AttentionNode, from: StackedHeads, { kv }: LowerOptions): HeadsAttributes {
  const { input, keyStart, valueStart, queryNorm, keyNorm, rotary } = from;
  return {
    kv,
    numHeads,
    headDim,
    rotaryDim: rotary.rotaryDim,
    pairing: rotary.pairing,
    maxPositions: kv.maxPages * kv.pageTokens,
    keyStart,
    valueStart,
    cols: input.cols,
    ...(queryNorm && { qNorm: { eps: queryNorm.eps } }),
    ...(keyNorm && { kNorm: { eps: keyNorm.eps } }),
  };
}

/** How decode cuts the longest context into ranges. */
export function splitAttributes(node: AttentionNode, { kv, target }: LowerOptions): SplitAttributes {
  const window = node.rules?.mask?.window;
  const ranges = window === undefined ? {} : { window };
  const most = rangedTokens(kv.maxPages * kv.pageTokens, ranges);
  return { ...attentionAttributes(node, kv), ...chooseSplits(target, kv, most), ...ranges };
}

function attentionAttributes({ numHeads, scale, rules, sinks }: AttentionNode, kv: KvLayout): AttentionAttributes {
  return { kv, numHeads, scale, ...rules, ...(sinks && { sinkLogits: true }) };
}

function sinkVectors({ numHeads, sinks }: AttentionNode): readonly VectorRange[] {
  return sinks ? [{ tensor: sinks.name, length: numHeads }] : [];
}

/** Attributes of attention over ranges, with the prologue that the node asks for. */
export function decodeAttributes(node: AttentionNode, options: LowerOptions): DecodeAttributes {
  const { from } = node;
  const prologue = "prologue" in from && from.prologue ? { prologue: headsAttributes(node, from, options) } : {};
  return { ...splitAttributes(node, options), ...prologue };
}

function headsOperands({ layer }: AttentionNode, { input, queryNorm, keyNorm, rotary }: StackedHeads): Omit<CallOperands, "outputs"> {
  const vectors = [queryNorm, keyNorm].flatMap((norm) => (norm ? [{ tensor: norm.weight.name, length: norm.weight.shape[0] }] : []));
  return { inputs: [input], vectors, tables: [rotary.table], layer };
}

/** Queries as attention reads them, and what makes them ready. */
function readyQuery(node: AttentionNode, lowering: Lowering): ReadyQuery {
  const { options, values } = lowering;
  const { from, layer, numHeads, headDim } = node;
  if ("query" in from) {
    const { quantized } = options;
    const { query, key, value, calls } = quantized?.regrouped(node, from, values) ?? { ...from, calls: [] };
    if (options.phase === "prefill" && isKvPageType(options.kv.type)) {
      assert(quantized, "pages that are quantized when full are lowered with what stores them");
      return { query, ...quantized.storePages(node, [key, value], lowering) };
    }
    const store = kernelCall(kvStore, { kv: options.kv }, { inputs: [key, value], outputs: [], layer }, `blk.${layer}.kv_store`);
    return { query, calls: [...calls, store, ...(quantized?.storedPages(node, options.kv) ?? [])] };
  }
  const query = values.make(`blk.${layer}.queries`, { rows: "rows", cols: numHeads * headDim, type: "act" });
  const attributes = headsAttributes(node, from, options);
  return { query, calls: [kernelCall(heads, attributes, { ...headsOperands(node, from), outputs: [query] })] };
}

/** No kernel reads keys and values again, or keeps scores of all of them. */
function checkPasses({ cascade, layer }: AttentionNode): void {
  const passes = passesOver(cascade, "key");
  assert(passes === 1, `attention of layer ${layer} goes over its keys ${passes} times; kernels go over them once`);
}

export function lowerAttention(node: AttentionNode, lowering: Lowering): KernelCall[] {
  checkPasses(node);
  const { options, values, codes } = lowering;
  const { from, layer, unjoined, output } = node;
  if (options.phase === "prefill") {
    assert(!unjoined && !("prologue" in from && from.prologue), "attention over many rows joins no ranges and makes no heads ready");
    const { query, recent, calls } = readyQuery(node, lowering);
    const attributes: PrefillAttributes = attentionAttributes(node, options.kv);
    const inputs = recent ? [query, recent] : [query];
    const attended = codes.produce(attentionPrefill, attributes, { inputs, vectors: sinkVectors(node), output, layer });
    return [...calls, attended, ...(options.afterAttention?.(node, query, { kv: options.kv, values }) ?? [])];
  }
  const split = splitAttributes(node, options);
  const made = unjoined ? output : values.make(`blk.${layer}.attention_partials`, { rows: "rows", cols: partialCols(split), type: "f32" });
  const merge: MergeAttributes = split;
  const joined = unjoined ? [] : [codes.produce(attentionMerge, merge, { inputs: [made], output })];
  if ("prologue" in from && from.prologue) {
    const before = headsOperands(node, from);
    const operands = { ...before, vectors: [...(before.vectors ?? []), ...sinkVectors(node)], outputs: [made] };
    return [kernelCall(attentionDecode, decodeAttributes(node, options), operands), ...joined];
  }
  const { query, calls } = readyQuery(node, lowering);
  const operands: CallOperands = { inputs: [query], outputs: [made], vectors: sinkVectors(node), layer };
  return [...calls, kernelCall(attentionDecode, split, operands), ...joined];
}
