// Attention of sequences that each add one row, over ranges of their pages that run side by side; attention_merge joins them.

import { assert } from "../base/errors.ts";
import type { KvLayout } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import {
  attentionConsts,
  attentionParts,
  mostRanges,
  partialCols,
  partialsReference,
  rangesPart,
  type SplitAttributes,
} from "./attention.ts";
import type { HeadsAttributes } from "./heads.ts";
import type { Kernel, KernelBinding, KernelTarget, Variant } from "./kernel.ts";
import { kvBindings } from "./kv_layout.ts";
import { loopPart, makeHeader, supports, variantKey } from "./target.ts";
import { activationBytes, kvBytes } from "./work.ts";

const bindings: readonly KernelBinding[] = [
  { name: "q", from: "input0", type: "array<vec4<act_t>>", access: "read" },
  ...kvBindings("read"),
  { name: "partials", from: "output0", type: "array<vec4<f32>>", access: "read_write" },
];

export interface DecodeAttributes extends SplitAttributes {
  /** On GPUs: input0 is the stacked projection, of which this kernel makes the heads itself. */
  readonly prologue?: HeadsAttributes;
}

/** Threads of a workgroup on GPUs. */
const gpuThreads = 128;

/** Lanes of a CPU driver's vector unit. */
const cpuLanes = 4;

/** Workgroup memory every adapter has. */
const portableStorageBytes = 16384;

/**
 * How to cut contexts of up to `maxTokens`: ranges short enough to occupy the adapter, long enough that merging them costs
 * a few percent.
 */
export function chooseSplits(target: KernelTarget, kv: KvLayout, maxTokens: number): { splits: number; splitTokens: number } {
  const shortest = target.deviceClass === "cpu" ? 32 : 128;
  // Partials grow with the number of ranges; beyond 128 of them no adapter gets busier.
  const splitTokens = Math.max(shortest, kv.pageTokens * ceilDiv(maxTokens, 128 * kv.pageTokens));
  return { splits: ceilDiv(maxTokens, splitTokens), splitTokens };
}

/** Query heads that a thread of a CPU driver takes at once, whether its group has as many or not: they share the keys it loads. */
export function cpuHeads(group: number): number {
  return group <= 2 ? 2 : 4;
}

/** Query heads of one workgroup: the most that divide the group and fit workgroup memory, at most 8. */
function headsPerWorkgroup({ kv, numHeads, splitTokens }: SplitAttributes): number {
  const group = numHeads / kv.numKvHeads;
  const fits = (heads: number): boolean => heads * (kv.headDim + splitTokens) * 4 + gpuThreads * 20 <= portableStorageBytes;
  let heads = Math.min(group, 8);
  while (heads > 1 && (group % heads !== 0 || !fits(heads))) heads--;
  return heads;
}

function variants(attributes: DecodeAttributes, target: KernelTarget): readonly Variant[] {
  const { kv, numHeads, splits, splitTokens } = attributes;
  if (!supports(target, [kv.type]) || attributes.prologue) return [];
  assert(splitTokens % 8 === 0, `ranges of ${splitTokens} split the eight keys that a CPU thread reads together`);
  const cpu = target.deviceClass === "cpu";
  const group = numHeads / kv.numKvHeads;
  const heads = cpu ? cpuHeads(group) : headsPerWorkgroup(attributes);
  const sets = kv.numKvHeads * ceilDiv(group, heads);
  const consts = {
    ...attentionConsts(attributes),
    WG: cpu ? cpuLanes : gpuThreads,
    SPLITS: splits,
    SPLIT_TOKENS: splitTokens,
    SETS: sets,
    ...(!cpu && { SET_HEADS: heads }),
    PARTIAL_STRIDE: partialCols(attributes) / 4,
  };
  const attend = heads === 2 ? "parts/attend/two.wgsl" : "parts/attend/four.wgsl";
  return [
    {
      key: variantKey(target, "attention_decode", `kv_${kv.type}`),
      precision: target.precision,
      header: makeHeader(target, consts, { kv_t: kv.type }),
      files: [
        ...(cpu ? ["attention_decode_cpu.wgsl", rangesPart, attend] : ["attention_decode.wgsl", loopPart(target)]),
        ...attentionParts,
      ],
      bindings,
      usesStep: true,
      grid: (step) => {
        const active = mostRanges(step.contextTokens, attributes);
        return cpu ? [ceilDiv(sets * active, cpuLanes), step.rows, 1] : [sets, active, step.rows];
      },
    },
  ];
}

/**
 * For every row, query head and range: (max, sum, 0, 0) of exp(score - max), then the sums of exp(score - max) v; q
 * [rows, numHeads * headDim]. Ranges past a row's position are not written. Flash-Decoding, after arXiv:2307.08691.
 */
export const attentionDecode: Kernel<DecodeAttributes> = {
  name: "attention_decode",
  outputs: (attributes) => [{ rows: "rows", cols: partialCols(attributes), type: "f32" }],
  variants,
  reference: (attributes, args) => [partialsReference(attributes, args)],
  operands: ({ kv, numHeads }) => ({ inputs: [{ rows: "rows", cols: numHeads * kv.headDim, type: "act" }], kv }),
  work: (attributes, step) => {
    const { kv, numHeads } = attributes;
    const keys = step.rows * step.contextTokens;
    const partials = step.rows * numHeads * mostRanges(step.contextTokens, attributes) * (kv.headDim + 4);
    return {
      bytes: activationBytes(attentionDecode.operands(attributes).inputs ?? [], step) + kvBytes(kv, keys) + 4 * partials,
      macs: 2 * keys * numHeads * kv.headDim,
    };
  },
};
