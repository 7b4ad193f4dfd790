// Attention of sequences that each add one row, over ranges of their pages that run side by side; attention_merge joins them, or the
// projection that follows. With a prologue it also makes the heads of its row, as `heads` does.

import { assert } from "../base/errors.ts";
import { isKvPageType } from "../base/kv_types.ts";
import type { KvLayout } from "../base/layout.ts";
import { ceilDiv, clamp } from "../base/math.ts";
import type { ConstValue } from "../gpu/shader.ts";
import {
  attentionBindings,
  attentionConsts,
  attentionParts,
  mostRanges,
  partialCols,
  rangesConsts,
  rangesPart,
  rulesKey,
  seenKeys,
  sinkBindings,
  sinkVectors,
  type SplitAttributes,
  supportsCache,
} from "./attention.ts";
import {
  type HeadsAttributes,
  headsBindings,
  headsConsts,
  headsKey,
  headsOperands,
  headsParts,
  headsSupported,
  headsWork,
} from "./heads.ts";
import type { Kernel, KernelBinding, KernelTarget, OperandSpecs, Variant } from "./kernel.ts";
import { kvAliases, kvName } from "./kv_layout.ts";
import { loopPart, makeHeader, variantKey } from "./target.ts";
import { activationBytes, kvBytes } from "./work.ts";

export interface DecodeAttributes extends SplitAttributes {
  /**
   * Set, the input is stacked projections: norms and RoPE of the query heads and the new key happen here, and the new key and value
   * are written to the pages. For GPUs, where each row is a sequence of its own.
   */
  readonly prologue?: HeadsAttributes;
}

/** Query heads of a workgroup on GPUs, and of a thread on CPU drivers: components of a vec4. */
const mostHeads = 4;

/** Lanes that share a key on GPUs: 64 bytes of it, side by side. */
const lanesPerKey = 4;

/** Lanes of a CPU driver's vector unit. */
const cpuLanes = 4;

/** Threads of a workgroup on GPUs. */
function gpuThreads(target: KernelTarget): number {
  return target.caps.maxWorkgroupInvocations >= 256 ? 256 : 128;
}

/**
 * How to cut contexts of up to `maxTokens`: into as many ranges as occupy a large GPU, or the cores of a CPU driver. Longer pasts have longer
 * ranges, so that what joins them stays as small however long the context, and text depends on no context.
 */
export function chooseSplits(target: KernelTarget, kv: KvLayout, maxTokens: number): { splits: number; splitTokens: number } {
  const gpu = target.deviceClass === "gpu";
  const splitTokens = gpu ? 64 : 32;
  const most = gpu ? clamp(Math.round(128 / kv.numKvHeads), 4, 16) : 32;
  return { splits: Math.min(most, ceilDiv(maxTokens, splitTokens)), splitTokens };
}

/** Query heads that a thread of a CPU driver takes at once, whether its group has as many or not: they share the keys it loads. */
export function cpuHeads(group: number): number {
  return group <= 2 ? 2 : mostHeads;
}

/** What the classes differ in. */
interface Shape {
  readonly threads: number;
  /** Sets of query heads that share a kv head, of all kv heads. */
  readonly sets: number;
  readonly consts: Record<string, ConstValue>;
  readonly files: readonly string[];
}

function cpuShape({ kv, numHeads }: DecodeAttributes): Shape {
  const group = numHeads / kv.numKvHeads;
  const paged = isKvPageType(kv.type);
  const heads = paged ? mostHeads : cpuHeads(group);
  const attend = paged ? "pages" : heads === 2 ? "two" : "four";
  return {
    threads: cpuLanes,
    sets: kv.numKvHeads * ceilDiv(group, heads),
    consts: {},
    files: ["attention_decode_cpu.wgsl", `parts/attend/${attend}.wgsl`],
  };
}

function gpuShape({ kv, numHeads, prologue }: DecodeAttributes, target: KernelTarget): Shape {
  const group = numHeads / kv.numKvHeads;
  const sets = ceilDiv(group, mostHeads);
  const threads = gpuThreads(target);
  assert(kv.headDim <= threads * 2, `heads of ${kv.headDim} leave ${threads} lanes less than two stripes`);
  return {
    threads,
    sets: kv.numKvHeads * sets,
    consts: { ...(prologue && headsConsts(prologue)), SET_HEADS: ceilDiv(group, sets), TILE: threads / lanesPerKey },
    files: [
      "attention_decode.wgsl",
      "parts/running/heads.wgsl",
      loopPart(target),
      ...(prologue ? ["parts/newest/made.wgsl", ...headsParts(prologue)] : ["parts/newest/paged.wgsl"]),
    ],
  };
}

function bindingsOf(attributes: DecodeAttributes): readonly KernelBinding[] {
  const { kv, prologue } = attributes;
  const sinks = sinkBindings(attributes, prologue?.qNorm ? 2 : 0);
  const partials: KernelBinding = { name: "partials", from: "output0", type: "array<vec4<f32>>", access: "read_write" };
  if (prologue) return [...headsBindings(prologue), ...sinks, partials];
  return [{ name: "q", from: "input0", type: "array<vec4<act_t>>", access: "read" }, ...attentionBindings(kv, "tail"), ...sinks, partials];
}

function variants(attributes: DecodeAttributes, target: KernelTarget): readonly Variant[] {
  const { kv, splitTokens, mask, window, prologue } = attributes;
  const cpu = target.deviceClass === "cpu";
  if (!supportsCache(target, kv) || (prologue && (cpu || isKvPageType(kv.type) || !headsSupported(prologue)))) return [];
  assert(mask?.window === window, `ranges over ${window} positions and a mask over ${mask?.window} differ`);
  assert(splitTokens % 8 === 0, `ranges of ${splitTokens} split the eight keys that a CPU thread reads together`);
  const { threads, sets, consts, files } = cpu ? cpuShape(attributes) : gpuShape(attributes, target);
  const all = {
    ...attentionConsts(attributes),
    WG: threads,
    ...rangesConsts(attributes),
    SETS: sets,
    PARTIAL_STRIDE: partialCols(attributes) / 4,
    ...consts,
  };
  return [
    {
      key: variantKey(target, "attention_decode", ...rulesKey(attributes), ...(prologue ? ["heads", ...headsKey(prologue)] : [kvName(kv)])),
      precision: target.precision,
      header: makeHeader(target, all, kvAliases(kv, target)),
      files: [...files, rangesPart(attributes), ...attentionParts(attributes, target, "tail")],
      bindings: bindingsOf(attributes),
      usesStep: true,
      grid: (step) => {
        const active = mostRanges(step.contextTokens, attributes);
        return cpu ? [ceilDiv(sets * active, cpuLanes), step.rows, 1] : [sets, active, step.rows];
      },
    },
  ];
}

function operands(attributes: DecodeAttributes): OperandSpecs {
  const { kv, numHeads, prologue } = attributes;
  const own: OperandSpecs = prologue
    ? headsOperands(prologue)
    : { inputs: [{ rows: "rows", cols: numHeads * kv.headDim, type: "act" }], kv };
  const sinks = sinkVectors(attributes);
  return sinks.length === 0 ? own : { ...own, vectors: [...(own.vectors ?? []), ...sinks] };
}

/**
 * For every row, query head and range: (max, sum, 0, 0) of exp(score - max), then the sums of exp(score - max) v; q
 * [rows, numHeads * headDim], or stacked projections [rows, cols]. Ranges past a row's position are not written. Flash-Decoding, after
 * arXiv:2307.08691.
 */
export const attentionDecode: Kernel<DecodeAttributes> = {
  name: "attention_decode",
  outputs: (attributes) => [{ rows: "rows", cols: partialCols(attributes), type: "f32" }],
  variants,
  operands,
  work: (attributes, step) => {
    const { kv, numHeads, prologue } = attributes;
    const keys = step.rows * seenKeys(attributes, step.contextTokens);
    const partials = step.rows * numHeads * mostRanges(step.contextTokens, attributes) * (kv.headDim + 4);
    const { inputs = [], vectors = [] } = operands(attributes);
    const before = prologue ? headsWork(prologue, step.rows) : { bytes: 0, macs: 0 };
    const vectorBytes = 4 * vectors.reduce((sum, length) => sum + length, 0);
    return {
      // The newest keys are written by the prologue, or read from the pages.
      bytes: activationBytes(inputs, step) + vectorBytes + before.bytes + kvBytes(kv, keys - (prologue ? step.rows : 0)) + 4 * partials,
      macs: 2 * keys * numHeads * kv.headDim + before.macs,
    };
  },
};
