// What follows the stacked projection of queries, keys and values: norms of query and key heads, RoPE, and keys and values into the pages,
// in one kernel instead of rms_norm, rope and kv_store. Attributes serve attention_decode's prologue too.

import { assert } from "../base/errors.ts";
import { isKvNumber } from "../base/kv_types.ts";
import { type KvLayout, rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { Rng } from "../base/rng.ts";
import type { ConstValue } from "../gpu/shader.ts";
import type { Kernel, KernelBinding, KernelTarget, KernelWork, OperandSpecs, Variant } from "./kernel.ts";
import { kvAliases, kvBindings, kvConsts, kvParts, supportsKv } from "./kv_layout.ts";
import { loopPart, makeHeader, variantKey } from "./target.ts";
import { kvBytes, streamedBytes } from "./work.ts";

export interface HeadsAttributes {
  readonly kv: KvLayout;
  /** Query heads; they are the first columns of the input. */
  readonly numHeads: number;
  /** `kv.headDim`. */
  readonly headDim: number;
  /** Leading dimensions of a head that turn; the others pass through. */
  readonly rotaryDim: number;
  /** `half`: (i, i + rotaryDim/2) turn together; `interleaved`: (2i, 2i + 1). */
  readonly pairing: "half" | "interleaved";
  /** Rows of the table. */
  readonly maxPositions: number;
  /** Columns where keys and values start, multiples of 4. */
  readonly keyStart: number;
  readonly valueStart: number;
  /** Columns of the input. */
  readonly cols: number;
  /** RMS norm of each query head by vector0 [headDim]. */
  readonly qNorm?: { readonly eps: number };
  /** RMS norm of each key head by the next vector [headDim]. */
  readonly kNorm?: { readonly eps: number };
}

const gpuThreads = 32;
const cpuThreads = 16;

/** Lanes of a CPU driver's vector unit. */
const cpuLanes = 4;

/** Whether shaders have it: vec4 turn whole, both norms or none, and pages hold each number by itself. */
export function headsSupported({ kv, rotaryDim, pairing, qNorm, kNorm }: HeadsAttributes): boolean {
  return isKvNumber(kv.type) && rotaryDim % (pairing === "half" ? 8 : 4) === 0 && (qNorm === undefined) === (kNorm === undefined);
}

/** Consts of parts/head, head_norm, turn and kv, and of who reads the stacked projections, in vec4. */
export function headsConsts(attributes: HeadsAttributes): Record<string, ConstValue> {
  const { kv, numHeads, headDim, rotaryDim, maxPositions, keyStart, valueStart, cols, qNorm, kNorm } = attributes;
  assert(headDim === kv.headDim && rotaryDim <= headDim, `heads of ${headDim} and ${kv.headDim}, ${rotaryDim} turn`);
  assert(keyStart % 4 === 0 && valueStart % 4 === 0, `keys at ${keyStart} and values at ${valueStart} split a vec4`);
  return {
    ...kvConsts(kv),
    HEADS: numHeads,
    QKV_STRIDE: rowStride(cols) / 4,
    KEY_START: keyStart / 4,
    VALUE_START: valueStart / 4,
    ROTARY: rotaryDim,
    MAX_POSITIONS: maxPositions,
    ...(qNorm && kNorm && { Q_EPS: { f32: qNorm.eps }, K_EPS: { f32: kNorm.eps } }),
  };
}

/** The parts that `headsConsts` are for, without those of kv. */
export function headsParts({ pairing, qNorm }: HeadsAttributes): readonly string[] {
  return ["parts/head.wgsl", `parts/head_norm/${qNorm ? "rms" : "none"}.wgsl`, `parts/turn/${pairing}.wgsl`];
}

/** What the parts read, and the pages to be written. */
export function headsBindings({ kv, qNorm }: HeadsAttributes): readonly KernelBinding[] {
  const norms: readonly KernelBinding[] = [
    { name: "q_norm", from: "vector0", type: "array<vec4<f32>>", access: "read" },
    { name: "k_norm", from: "vector1", type: "array<vec4<f32>>", access: "read" },
  ];
  return [
    { name: "qkv", from: "input0", type: "array<vec4<act_t>>", access: "read" },
    ...(qNorm ? norms : []),
    { name: "turns", from: "table0", type: "array<vec4<f32>>", access: "read" },
    ...kvBindings("read_write", kv),
  ];
}

/** What a variant's key says of heads. */
export function headsKey({ kv, pairing, qNorm }: HeadsAttributes): readonly string[] {
  return [pairing, ...(qNorm ? ["norms"] : []), `kv_${kv.type}`];
}

/** Random stacked projections; columns between the parts, which nobody may read, are NaN. */
function fill({ kv, numHeads, headDim, keyStart, valueStart }: HeadsAttributes): (rng: Rng, row: number, col: number) => number {
  const width = kv.numKvHeads * headDim;
  const between = (col: number): boolean =>
    (col >= numHeads * headDim && col < keyStart) || (col >= keyStart + width && col < valueStart) || col >= valueStart + width;
  return (rng, _, col) => (between(col) ? Number.NaN : rng.normal());
}

/** Operands of a kernel that makes heads. */
export function headsOperands(attributes: HeadsAttributes): OperandSpecs {
  const { kv, headDim, rotaryDim, maxPositions, cols, qNorm, kNorm } = attributes;
  return {
    inputs: [{ rows: "rows", cols, type: "act", fill: fill(attributes) }],
    vectors: [...(qNorm ? [headDim] : []), ...(kNorm ? [headDim] : [])],
    tables: [maxPositions * rotaryDim],
    kv,
  };
}

function variants(attributes: HeadsAttributes, target: KernelTarget): readonly Variant[] {
  const { kv, numHeads } = attributes;
  if (!supportsKv(target, kv) || !headsSupported(attributes)) return [];
  const cpu = target.deviceClass === "cpu";
  // A single row has its head's vec4 shared out over lanes.
  const lanes = target.maxRows < cpuLanes ? cpuLanes : 1;
  const threads = cpu ? (lanes > 1 ? cpuLanes : cpuThreads) : gpuThreads;
  const consts = {
    WG: threads,
    STRIDE: rowStride(numHeads * kv.headDim) / 4,
    ...headsConsts(attributes),
    ...(cpu && { LANES: lanes }),
  };
  const jobs = numHeads + kv.numKvHeads;
  return [
    {
      key: variantKey(target, "heads", ...headsKey(attributes)),
      precision: target.precision,
      header: makeHeader(target, consts, kvAliases(kv, target)),
      files: [
        ...(cpu ? ["heads_cpu.wgsl", loopPart(target)] : ["heads.wgsl", "parts/reduce/workgroup.wgsl"]),
        ...headsParts(attributes),
        ...kvParts(kv, target),
      ],
      bindings: [...headsBindings(attributes), { name: "q", from: "output0", type: "array<vec4<act_t>>", access: "read_write" }],
      usesStep: true,
      grid: (step) => (cpu ? [ceilDiv(step.rows * lanes, threads), jobs, 1] : [jobs, step.rows, 1]),
    },
  ];
}

/** Bytes of the turns and pages that a step's rows need, and multiply-adds of norms and turns. */
export function headsWork(attributes: HeadsAttributes, rows: number): KernelWork {
  const { kv, numHeads, headDim, rotaryDim, qNorm, kNorm } = attributes;
  const normed = (qNorm ? numHeads : 0) + (kNorm ? kv.numKvHeads : 0);
  return {
    bytes: 4 * rows * rotaryDim + kvBytes(kv, rows),
    macs: rows * (2 * (numHeads + kv.numKvHeads) * rotaryDim + 3 * normed * headDim),
  };
}

/**
 * q = RoPE(norm(x)) of the query heads of stacked projections [rows, cols], q [rows, numHeads * headDim]; the pages of each row's position
 * get RoPE(norm(x)) of the key heads and the value heads. arXiv:2104.09864, arXiv:1910.07467
 */
export const heads: Kernel<HeadsAttributes> = {
  name: "heads",
  outputs: ({ numHeads, headDim }) => [{ rows: "rows", cols: numHeads * headDim, type: "act" }],
  variants,
  operands: headsOperands,
  work: (attributes, step) => {
    const { bytes, macs } = headsWork(attributes, step.rows);
    return { bytes: bytes + streamedBytes(headsOperands(attributes), heads.outputs(attributes), step), macs };
  },
};
