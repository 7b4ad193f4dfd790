// Attention of consecutive rows of one sequence over its pages: FlashAttention-2 tiles on GPUs, one thread per query on CPUs.

import { isKvPageType } from "../base/kv_types.ts";
import { blockWidth } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { ConstValue } from "../gpu/shader.ts";
import {
  type AttentionAttributes,
  attentionBindings,
  attentionConsts,
  attentionParts,
  rulesKey,
  seenKeys,
  sinkBindings,
  sinkVectors,
  supportsCache,
} from "./attention.ts";
import { chooseTile } from "./attention_tile.ts";
import { type Quantized, blockFiles, codesKey, fourFiles, rowBindings, rowConsts, rowOutputs, takesCodes } from "./codes.ts";
import type { InputSpec, Kernel, KernelTarget, Variant } from "./kernel.ts";
import { kvAliases, kvName } from "./kv_layout.ts";
import { recentInput } from "./kv_pages.ts";
import { loopPart, makeHeader, variantKey } from "./target.ts";
import { kvBytes, streamedBytes } from "./work.ts";

export interface PrefillAttributes extends AttentionAttributes {
  /** Of heads that are whole blocks of 32. */
  readonly quantized?: Quantized;
}

/** Queries of a thread of a CPU driver, and rows that one of its workgroups takes: few, so that short prompts reach every core. */
const cpuQueries = 4;
const cpuRows = 16;

function rowsOf({ kv, numHeads, quantized }: PrefillAttributes): { cols: number; over: "rows"; quantized: Quantized | undefined } {
  return { cols: numHeads * kv.headDim, over: "rows", quantized };
}

/** What stores the outputs of a tile. */
function storeFiles(quantized: Quantized | undefined, cpu: boolean): readonly string[] {
  if (!cpu) return fourFiles(quantized);
  return quantized ? ["parts/queries/codes.wgsl", ...blockFiles(quantized)] : ["parts/queries/store.wgsl"];
}

/** What the classes differ in. */
interface Shape {
  readonly consts: Record<string, ConstValue>;
  /** Queries of which tiles begin at a multiple, where they lie in pages. */
  readonly queries: number;
  /** Queries of a workgroup. */
  readonly rows: number;
  /** Sets of heads, of all kv heads. */
  readonly sets: number;
}

function cpuShape({ numHeads }: PrefillAttributes): Shape {
  return { consts: { WG: cpuRows / cpuQueries }, queries: cpuQueries, rows: cpuRows, sets: numHeads };
}

function gpuShape({ kv, numHeads }: PrefillAttributes, { caps, maxRows }: KernelTarget): Shape {
  const group = numHeads / kv.numKvHeads;
  const { pairs, queries, heads, resident, rows, threads, fours } = chooseTile({
    headDim: kv.headDim,
    group,
    maxThreads: caps.maxWorkgroupInvocations,
    workgroupBytes: caps.maxWorkgroupStorageBytes,
    maxRows,
    ...(isKvPageType(kv.type) && { pageTokens: kv.pageTokens }),
  });
  const sets = kv.numKvHeads * ceilDiv(group, heads);
  const tile = { PAIRS: pairs, QUERIES: queries, SET_HEADS: heads, SETS: sets, RESIDENT: resident, TILE_FOURS: fours };
  return { consts: { WG: threads, ROWS: rows, CHUNKS: ceilDiv(kv.headDim, 32), ...tile }, queries, rows: queries, sets };
}

function variants(attributes: PrefillAttributes, target: KernelTarget): readonly Variant[] {
  const { kv, quantized } = attributes;
  if (!supportsCache(target, kv) || !takesCodes(target, quantized)) return [];
  if (quantized && kv.headDim % blockWidth !== 0) return [];
  const cpu = target.deviceClass === "cpu";
  const { consts, queries, rows, sets } = cpu ? cpuShape(attributes) : gpuShape(attributes, target);
  return [
    {
      key: variantKey(target, "attention_prefill", ...rulesKey(attributes), kvName(kv), ...codesKey(quantized)),
      precision: target.precision,
      header: makeHeader(target, { ...attentionConsts(attributes), ...rowConsts(rowsOf(attributes)), ...consts }, kvAliases(kv, target)),
      files: [
        ...(cpu
          ? ["attention_prefill_cpu.wgsl", `parts/attend/${isKvPageType(kv.type) ? "pages" : "four"}.wgsl`]
          : ["attention_prefill.wgsl", loopPart(target)]),
        ...storeFiles(quantized, cpu),
        ...attentionParts(attributes, target, "recent"),
      ],
      bindings: [
        { name: "q", from: "input0", type: "array<vec4<act_t>>", access: "read" },
        ...attentionBindings(kv, "recent"),
        ...sinkBindings(attributes),
        ...rowBindings(quantized),
      ],
      usesStep: true,
      // Where tiles lie in pages, the first may be short.
      grid: (step) => [ceilDiv(step.rows + (isKvPageType(kv.type) ? queries - 1 : 0), rows), sets, 1],
    },
  ];
}

/** y = softmax(q k^T scale) v, causal; q, y [rows, numHeads * headDim]. arXiv:2307.08691 */
export const attentionPrefill: Kernel<PrefillAttributes> = {
  name: "attention_prefill",
  outputs: (attributes) => rowOutputs(rowsOf(attributes)),
  variants,
  operands: (attributes) => {
    const { kv, numHeads, sinkLogits } = attributes;
    const query: InputSpec = { rows: "rows", cols: numHeads * kv.headDim, type: "act" };
    const inputs: readonly InputSpec[] = isKvPageType(kv.type) ? [query, recentInput(kv)] : [query];
    return { inputs, ...(sinkLogits && { vectors: sinkVectors(attributes) }), kv };
  },
  work: (attributes, step) => {
    const { kv, numHeads } = attributes;
    const { rows, contextTokens } = step;
    const past = contextTokens - rows + 1;
    const pairs = Array.from({ length: rows }, (_, row) => seenKeys(attributes, past + row)).reduce((sum, keys) => sum + keys, 0);
    return {
      bytes: streamedBytes(attentionPrefill.operands(attributes), attentionPrefill.outputs(attributes), step) + kvBytes(kv, contextTokens),
      macs: 2 * pairs * numHeads * kv.headDim,
    };
  },
};
