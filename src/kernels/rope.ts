// Rotary position embedding from a table that models/rope_table.ts makes, so that every kind of scaling is one kernel.

import { assert } from "../base/errors.ts";
import { rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";
import { streamedBytes } from "./work.ts";

export interface RopeAttributes {
  readonly heads: number;
  readonly headDim: number;
  /** Leading dimensions of a head that turn, an even number; the others pass through. */
  readonly rotaryDim: number;
  /** `half`: (i, i + rotaryDim/2) turn together; `interleaved`: (2i, 2i + 1). */
  readonly pairing: "half" | "interleaved";
  /** Rows of the table. */
  readonly maxPositions: number;
}

const workgroupSize = 64;

function variants(attributes: RopeAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target)) return [];
  const { heads, headDim, rotaryDim, pairing, maxPositions } = attributes;
  assert(headDim % 2 === 0 && rotaryDim % 2 === 0 && rotaryDim <= headDim, `rope cannot pair ${rotaryDim} of ${headDim}`);
  const stride = rowStride(heads * headDim);
  const consts = {
    WG: workgroupSize,
    STRIDE: stride,
    HEADS: heads,
    D: headDim,
    ROTARY: rotaryDim,
    INTERLEAVED: pairing === "interleaved",
    MAX_POSITIONS: maxPositions,
  };
  return [
    {
      key: variantKey(target, "rope", pairing),
      precision: target.precision,
      header: makeHeader(target, consts),
      files: ["rope.wgsl"],
      bindings: [
        { name: "x", from: "input0", type: "array<act_t>", access: "read" },
        { name: "turns", from: "table0", type: "array<vec2<f32>>", access: "read" },
        { name: "y", from: "output0", type: "array<act_t>", access: "read_write" },
      ],
      usesStep: true,
      grid: (step) => [ceilDiv(stride / 2, workgroupSize), step.rows, 1],
    },
  ];
}

/** Turns pairs (a, b) of each head to (a cos - b sin, a sin + b cos); x, y [rows, heads * headDim]. arXiv:2104.09864 */
export const rope: Kernel<RopeAttributes> = {
  name: "rope",
  outputs: ({ heads, headDim }) => [{ rows: "rows", cols: heads * headDim, type: "act" }],
  variants,
  operands: ({ heads, headDim, rotaryDim, maxPositions }) => ({
    inputs: [{ rows: "rows", cols: heads * headDim, type: "act" }],
    tables: [maxPositions * rotaryDim],
  }),
  work: (attributes, step) => ({
    bytes: streamedBytes(rope.operands(attributes), rope.outputs(attributes), step) + 4 * step.rows * attributes.rotaryDim,
    macs: 2 * step.rows * attributes.heads * attributes.rotaryDim,
  }),
};
