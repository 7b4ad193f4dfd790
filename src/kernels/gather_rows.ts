// Picks the rows that the head runs over.

import { ceilDiv } from "../base/math.ts";
import { type Quantized, codesKey, rowBindings, rowConsts, rowFiles, rowOutputs, rowThreads, takesCodes } from "./codes.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";

export interface GatherRowsAttributes {
  readonly cols: number;
  readonly quantized?: Quantized;
}

const workgroupSize = 64;

function variants({ cols, quantized }: GatherRowsAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target) || !takesCodes(target, quantized)) return [];
  const rows = { cols, over: "outputRows", quantized } as const;
  return [
    {
      key: variantKey(target, "gather_rows", ...codesKey(quantized)),
      precision: target.precision,
      header: makeHeader(target, { WG: workgroupSize, ...rowConsts(rows), OVER_OUTPUT_ROWS: true }),
      files: ["gather_rows.wgsl", ...rowFiles(quantized, target)],
      bindings: [{ name: "x", from: "input0", type: "array<vec4<act_t>>", access: "read" }, ...rowBindings(quantized)],
      usesStep: true,
      grid: (step) => [ceilDiv(rowThreads(rows, target), workgroupSize), step.outputRows, 1],
    },
  ];
}

/** y[i] = x[source of output row i]; x [rows, cols], y [outputRows, cols]. */
export const gatherRows: Kernel<GatherRowsAttributes> = {
  name: "gather_rows",
  outputs: ({ cols, quantized }) => rowOutputs({ cols, over: "outputRows", quantized }),
  variants,
  operands: ({ cols }) => ({ inputs: [{ rows: "rows", cols, type: "act" }] }),
  work: ({ cols }, step) => ({ bytes: 8 * step.outputRows * cols, macs: 0 }),
};
