// Joins the ranges that attention_decode computed.

import { blockWidth } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { Rng } from "../base/rng.ts";
import { mostRanges, partialCols, rangesConsts, rangesPart, type SplitAttributes } from "./attention.ts";
import { type Quantized, codesKey, fourFiles, rowBindings, rowConsts, rowFiles, rowOutputs, rowThreads, takesCodes } from "./codes.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";
import { activationBytes } from "./work.ts";

export interface MergeAttributes extends SplitAttributes {
  /** On GPUs only of heads that are whole blocks of 32. */
  readonly quantized?: Quantized;
}

const cpuThreads = 16;
const gpuThreads = 128;

function variants(attributes: MergeAttributes, target: KernelTarget): readonly Variant[] {
  const { kv, numHeads, quantized } = attributes;
  if (!supports(target) || !takesCodes(target, quantized)) return [];
  const cpu = target.deviceClass === "cpu";
  if (!cpu && quantized && kv.headDim % blockWidth !== 0) return [];
  const rows = rowsOf(attributes);
  const consts = {
    WG: cpu ? cpuThreads : gpuThreads,
    HEADS: numHeads,
    D4: kv.headDim / 4,
    ...rowConsts(rows),
    ...rangesConsts(attributes),
    PARTIAL_STRIDE: partialCols(attributes) / 4,
    ...(cpu && { OVER_OUTPUT_ROWS: false }),
  };
  return [
    {
      key: variantKey(target, "attention_merge", ...codesKey(quantized)),
      precision: target.precision,
      header: makeHeader(target, consts),
      files: cpu
        ? ["attention_merge_cpu.wgsl", rangesPart(attributes), ...rowFiles(quantized, target)]
        : ["attention_merge.wgsl", rangesPart(attributes), "parts/reduce/workgroup.wgsl", ...fourFiles(quantized)],
      bindings: [{ name: "partials", from: "input0", type: "array<vec4<f32>>", access: "read" }, ...rowBindings(quantized)],
      usesStep: true,
      grid: (step) => (cpu ? [ceilDiv(rowThreads(rows, target), cpuThreads), step.rows, 1] : [numHeads, step.rows, 1]),
    },
  ];
}

function rowsOf({ kv, numHeads, quantized }: MergeAttributes): { cols: number; over: "rows"; quantized: Quantized | undefined } {
  return { cols: numHeads * kv.headDim, over: "rows", quantized };
}

/** Numbers like attention_decode's: any maximum, a positive sum. */
function fill({ kv }: SplitAttributes): (rng: Rng, row: number, col: number) => number {
  return (rng, _, col) => {
    const part = col % (kv.headDim + 4);
    if (part === 1) return 1 + 20 * rng.unit();
    return part === 0 ? 5 * rng.normal() : rng.normal();
  };
}

/** y = sum of exp(m - max) o over sum of exp(m - max) l, over the ranges of a row; y [rows, numHeads * headDim]. */
export const attentionMerge: Kernel<MergeAttributes> = {
  name: "attention_merge",
  outputs: (attributes) => rowOutputs(rowsOf(attributes)),
  variants,
  operands: (attributes) => ({ inputs: [{ rows: "rows", cols: partialCols(attributes), type: "f32", fill: fill(attributes) }] }),
  work: (attributes, step) => {
    const { kv, numHeads } = attributes;
    const partials = step.rows * numHeads * mostRanges(step.contextTokens, attributes);
    return {
      bytes: 4 * partials * (kv.headDim + 4) + activationBytes(attentionMerge.outputs(attributes), step),
      macs: partials * kv.headDim,
    };
  },
};
