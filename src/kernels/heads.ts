// What follows the stacked projection of queries, keys and values: norms of query and key heads, RoPE, and keys and values into the pages,
// in one kernel instead of rms_norm, rope and kv_store. Attributes and reference serve attention_decode's prologue too.

import { f16ToF32, f32ToF16 } from "../base/dtype.ts";
import type { KvLayout } from "../base/layout.ts";
import type { CpuArgs, CpuTensor } from "./kernel.ts";
import { kvIndex } from "./kv_layout.ts";

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

/** Largest number that pages hold, kv_t. */
export function kvMax({ type }: KvLayout): number {
  return type === "f16" ? 65504 : 3.4e38;
}

/** What pages hold of a number: what is finite stays finite. */
function kept(kv: KvLayout, value: number): number {
  const most = kvMax(kv);
  const clamped = Number.isFinite(value) ? Math.min(Math.max(value, -most), most) : value;
  return kv.type === "f16" ? f16ToF32(f32ToF16(clamped)) : Math.fround(clamped);
}

interface Head {
  /** Columns of one head, changed in place. */
  readonly x: Float64Array;
  readonly position: number;
  readonly norm: { readonly eps: number } | undefined;
  readonly weight: Float32Array | undefined;
  readonly turns: Float32Array;
}

/** RMS norm, then RoPE. */
function turnHead({ rotaryDim, pairing }: HeadsAttributes, { x, position, norm, weight, turns }: Head): void {
  if (norm && weight) {
    const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value ** 2, 0) / x.length + norm.eps);
    for (let d = 0; d < x.length; d++) x[d] *= scale * weight[d];
  }
  const half = rotaryDim / 2;
  for (let pair = 0; pair < half; pair++) {
    const first = pairing === "half" ? pair : 2 * pair;
    const second = pairing === "half" ? first + half : first + 1;
    const [a, b] = [x[first], x[second]];
    const [cos, sin] = turns.subarray((position * half + pair) * 2);
    x[first] = a * cos - b * sin;
    x[second] = a * sin + b * cos;
  }
}

/** Queries [rows, numHeads * headDim]; keys and values go into `args.kv`, in place. */
export function headsReference(attributes: HeadsAttributes, args: CpuArgs): CpuTensor {
  const { kv: layout, numHeads, headDim, keyStart, valueStart, qNorm, kNorm } = attributes;
  const [qkv] = args.inputs;
  const [turns] = args.tables;
  const queryWeight = qNorm && args.vectors[0];
  const keyWeight = kNorm && args.vectors[qNorm ? 1 : 0];
  const cols = numHeads * headDim;
  const data = new Float32Array(args.rows.length * cols);
  for (const [row, { position, slot }] of args.rows.entries()) {
    const head = (start: number): Float64Array =>
      Float64Array.from(qkv.data.subarray(row * qkv.cols + start, row * qkv.cols + start + headDim));
    for (let h = 0; h < numHeads; h++) {
      const x = head(h * headDim);
      turnHead(attributes, { x, position, norm: qNorm, weight: queryWeight, turns });
      data.set(x, row * cols + h * headDim);
    }
    for (let h = 0; h < layout.numKvHeads && args.kv; h++) {
      const x = head(keyStart + h * headDim);
      turnHead(attributes, { x, position, norm: kNorm, weight: keyWeight, turns });
      const at = kvIndex(args.kv, layout, { slot, position, head: h });
      args.kv.keys.set(
        x.map((value) => kept(layout, value)),
        at,
      );
      args.kv.values.set(
        head(valueStart + h * headDim).map((value) => kept(layout, value)),
        at,
      );
    }
  }
  return { rows: args.rows.length, cols, data };
}
