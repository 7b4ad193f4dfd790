// Picks the rows that the head runs over.

import { rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { CpuArgs, CpuTensor, Kernel, KernelTarget, Variant } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";

export interface GatherRowsAttributes {
  readonly cols: number;
}

const workgroupSize = 64;

function variants({ cols }: GatherRowsAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target)) return [];
  const stride = rowStride(cols) / 4;
  return [
    {
      key: variantKey(target, "gather_rows"),
      precision: target.precision,
      header: makeHeader(target, { WG: workgroupSize, STRIDE: stride }),
      files: ["gather_rows.wgsl"],
      bindings: [
        { name: "x", from: "input0", type: "array<vec4<act_t>>", access: "read" },
        { name: "y", from: "output0", type: "array<vec4<act_t>>", access: "read_write" },
      ],
      usesStep: true,
      grid: (step) => [ceilDiv(stride, workgroupSize), step.outputRows, 1],
    },
  ];
}

function reference({ cols }: GatherRowsAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [x] = args.inputs;
  const data = new Float32Array(args.outputRows.length * cols);
  for (const [row, source] of args.outputRows.entries()) data.set(x.data.subarray(source * cols, (source + 1) * cols), row * cols);
  return [{ rows: args.outputRows.length, cols, data }];
}

/** y[i] = x[source of output row i]; x [rows, cols], y [outputRows, cols]. */
export const gatherRows: Kernel<GatherRowsAttributes> = {
  name: "gather_rows",
  outputs: ({ cols }) => [{ rows: "outputRows", cols, type: "act" }],
  variants,
  reference,
  operands: ({ cols }) => ({ inputs: [{ rows: "rows", cols, type: "act" }] }),
  work: ({ cols }, step) => ({ bytes: 8 * step.outputRows * cols, macs: 0 }),
  cases: [
    { name: "1 of 1", attributes: { cols: 33 }, rows: 1 },
    { name: "1 of 7", attributes: { cols: 256 }, rows: 7 },
    { name: "5 of 33", attributes: { cols: 1031 }, rows: 33, outputRows: 5 },
  ],
};
