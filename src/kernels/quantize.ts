// Activations as signed bytes, for the int8 class: once for each value that matrix products read and whose producer has no codes.

import { blockWidth } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import { quantizedSpecs, rowBindings, rowConsts, rowFiles, rowThreads } from "./codes.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";
import { streamedBytes } from "./work.ts";

export interface QuantizeAttributes {
  readonly cols: number;
  readonly over: "rows" | "outputRows";
}

function variants({ cols, over }: QuantizeAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target) || target.precision !== "int8") return [];
  const rows = { cols, over, quantized: "only" } as const;
  const workgroupSize = target.deviceClass === "cpu" ? 8 : 64;
  return [
    {
      key: variantKey(target, "quantize", "int8"),
      precision: target.precision,
      header: makeHeader(target, { WG: workgroupSize, ...rowConsts(rows), OVER_OUTPUT_ROWS: over === "outputRows" }),
      files: ["quantize.wgsl", ...rowFiles("only", target)],
      bindings: [{ name: "x", from: "input0", type: "array<vec4<act_t>>", access: "read" }, ...rowBindings("only")],
      usesStep: true,
      grid: (step) => [ceilDiv(rowThreads(rows, target), workgroupSize), step[over], 1],
    },
  ];
}

/**
 * q = round(x / scale), scale = max|x| / 127 over each 32 of a row; q u32 [rows, stride / 4], scale f32 [rows, stride / 32]. The scale of a
 * block with NaN or infinity is NaN. Only for rows whose producer cannot leave them as codes itself.
 */
export const quantize: Kernel<QuantizeAttributes> = {
  name: "quantize",
  outputs: (attributes) => quantizedSpecs(attributes),
  variants,
  operands: ({ cols, over }) => ({
    inputs: [
      {
        rows: over,
        cols,
        type: "act",
        // The first of a block sets the step; the others lie within 0.4 of a whole number of them, so that every adapter's
        // rounding gives the same codes. Some blocks are zero.
        fill: (rng, row, col) => {
          const block = Math.floor(col / blockWidth);
          const step = (row + block) % 7 === 6 ? 0 : 2 ** (((row * 5 + block * 3) % 17) - 8);
          return step * (col % blockWidth === 0 ? 127 : rng.below(253) - 126 + 0.8 * (rng.unit() - 0.5));
        },
      },
    ],
  }),
  work: (attributes, step) => ({
    bytes: streamedBytes(quantize.operands(attributes), quantize.outputs(attributes), step),
    macs: step[attributes.over] * attributes.cols,
  }),
};
