// Attention of consecutive rows of one sequence over its pages: FlashAttention-2 tiles on GPUs, one thread per query on CPUs.

import { blockWidth } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import { type AttentionAttributes, attentionConsts, attentionParts, rulesKey, seenKeys, sinkBindings, sinkVectors } from "./attention.ts";
import { type Quantized, blockFiles, codesKey, fourFiles, rowBindings, rowConsts, rowOutputs, takesCodes } from "./codes.ts";
import type { InputSpec, Kernel, KernelTarget, Variant } from "./kernel.ts";
import { kvAliases, kvBindings, supportsKv } from "./kv_layout.ts";
import { loopPart, makeHeader, variantKey } from "./target.ts";
import { kvBytes, streamedBytes } from "./work.ts";

export interface PrefillAttributes extends AttentionAttributes {
  /** Of heads that are whole blocks of 32. */
  readonly quantized?: Quantized;
}

/** Queries and keys of a tile; the shader's mapping of threads relies on both being 32. */
const tile = 32;

/** Rows that one workgroup of the CPU variant takes: few, so that short prompts reach every core. */
const cpuRows = 16;

function rowsOf({ kv, numHeads, quantized }: PrefillAttributes): { cols: number; over: "rows"; quantized: Quantized | undefined } {
  return { cols: numHeads * kv.headDim, over: "rows", quantized };
}

/** What stores the outputs of a tile. */
function storeFiles(quantized: Quantized | undefined, cpu: boolean): readonly string[] {
  if (!cpu) return fourFiles(quantized);
  return quantized ? ["parts/queries/codes.wgsl", ...blockFiles(quantized)] : ["parts/queries/store.wgsl"];
}

function variants(attributes: PrefillAttributes, target: KernelTarget): readonly Variant[] {
  const { kv, numHeads, quantized } = attributes;
  if (!supportsKv(target, kv) || !takesCodes(target, quantized)) return [];
  if (quantized && kv.headDim % blockWidth !== 0) return [];
  const cpu = target.deviceClass === "cpu";
  // Four query rows a thread; two where the outputs of a head this long would not fit its registers.
  const rowsPerThread = kv.headDim > 128 ? 2 : 4;
  const consts: Record<string, number> = cpu
    ? { WG: cpuRows / 4 }
    : { WG: (tile / rowsPerThread) * 8, ROWS: rowsPerThread, CHUNKS: ceilDiv(kv.headDim, 32) };
  const rowsPerWorkgroup = cpu ? cpuRows : tile;
  return [
    {
      key: variantKey(target, "attention_prefill", ...rulesKey(attributes), `kv_${kv.type}`, ...codesKey(quantized)),
      precision: target.precision,
      header: makeHeader(target, { ...attentionConsts(attributes), ...rowConsts(rowsOf(attributes)), ...consts }, kvAliases(kv, target)),
      files: [
        ...(cpu ? ["attention_prefill_cpu.wgsl", "parts/attend/four.wgsl"] : ["attention_prefill.wgsl", loopPart(target)]),
        ...storeFiles(quantized, cpu),
        ...attentionParts(attributes, target),
      ],
      bindings: [
        { name: "q", from: "input0", type: "array<vec4<act_t>>", access: "read" },
        ...kvBindings("read", kv),
        ...sinkBindings(attributes),
        ...rowBindings(quantized),
      ],
      usesStep: true,
      grid: (step) => [ceilDiv(step.rows, rowsPerWorkgroup), numHeads, 1],
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
    const inputs: readonly InputSpec[] = [{ rows: "rows", cols: numHeads * kv.headDim, type: "act" }];
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
