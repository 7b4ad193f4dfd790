// What argmax and top_k share: the shader request of a kernel that scans rows of logits, and the order of candidates.

import { rowStride } from "../base/layout.ts";
import type { Rng } from "../base/rng.ts";
import type { KernelBinding, KernelTarget, Variant } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";

/** f32 bits in an array of words and back: logits and ids share outputs. */
export function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/** Logits as bits: NaN has to be seen whatever a compiler assumes of floats. */
const logitsBinding: KernelBinding = { name: "x", from: "input0", type: "array<u32>", access: "read" };

/** A workgroup for each output row; on CPU drivers of one lane, which needs no barrier. */
export function scanVariant(
  target: KernelTarget,
  kernel: { name: string; cols: number; consts: Record<string, number> },
): readonly Variant[] {
  if (!supports(target)) return [];
  const cpu = target.deviceClass === "cpu";
  const { name, cols, consts } = kernel;
  return [
    {
      key: variantKey(target, name),
      precision: target.precision,
      header: makeHeader(target, { WG: cpu ? 1 : 256, V: cols, STRIDE: rowStride(cols), ...consts }),
      files: [
        `${name}.wgsl`,
        "parts/row_scan.wgsl",
        ...(cpu ? ["parts/reduce/best_alone.wgsl"] : ["parts/reduce/best.wgsl", "parts/reduce/workgroup.wgsl"]),
      ],
      bindings: [logitsBinding, { name: "y", from: "output0", type: "array<u32>", access: "read_write" }],
      usesStep: true,
      grid: (step) => [step.outputRows, 1, 1],
    },
  ];
}

/** Columns of a row in order: larger first, lower id first among equals; infinities left out. */
export function bestFirst(row: Float32Array, count: number): number[] {
  const finite = [...row.keys()].filter((col) => Number.isFinite(row[col]));
  return finite.toSorted((a, b) => row[b] - row[a] || a - b).slice(0, count);
}

/** Logits for cases: ties everywhere, so that the order among equals is tested. */
export function tiedLogits(rng: Rng): number {
  return Math.round(rng.normal() * 8) / 8;
}

/** Logits for cases: a row of NaN, one of infinities, one with a single NaN, then plain ones. */
export function brokenLogits(rng: Rng, row: number, col: number): number {
  if (row === 0 || (row === 2 && col === 5)) return Number.NaN;
  if (row === 1) return Number.NEGATIVE_INFINITY;
  return row === 3 && col === 0 ? Number.POSITIVE_INFINITY : rng.normal();
}
