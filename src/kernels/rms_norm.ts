// Root-mean-square normalisation of rows, or of each head of a row (QK-norm).

import { ceilDiv } from "../base/math.ts";
import { assert } from "../base/errors.ts";
import { type Quantized, blockFiles, codesKey, fourFiles, rowBindings, rowConsts, rowOutputs, takesCodes } from "./codes.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";
import { streamedBytes } from "./work.ts";

export interface RmsNormAttributes {
  /** Elements normalised together; a multiple of 4 when there are several groups. */
  readonly cols: number;
  /** Groups in a row: 1, or the number of heads. */
  readonly groups: number;
  readonly eps: number;
  /** Which rows the input has; default `rows`. */
  readonly over?: "rows" | "outputRows";
  /** With one group. */
  readonly quantized?: Quantized;
}

/** Lanes of a CPU driver's vector unit. */
const cpuLanes = 4;

function variants({ cols, groups, eps, over = "rows", quantized }: RmsNormAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target) || !takesCodes(target, quantized)) return [];
  assert(groups === 1 || quantized === undefined, "rms_norm makes no codes of groups, which may cut blocks");
  assert(groups === 1 || cols % 4 === 0, `rms_norm groups of ${cols} split a vec4`);
  const cpu = target.deviceClass === "cpu";
  const width = ceilDiv(cols, 4);
  const workgroupSize = cpu ? cpuLanes : width > 64 ? 256 : 32;
  // With too few groups to fill the lanes, all repeat a group's sum, which costs nothing, and share its writes.
  const groupLanes = over === "rows" && target.maxRows * groups >= cpuLanes ? 1 : cpuLanes;
  const consts = {
    WG: workgroupSize,
    ...rowConsts({ cols: cols * groups, over, quantized }),
    WIDTH: width,
    ...(!(cpu && quantized) && { GROUPS: groups }),
    COLS: { f32: cols },
    EPS: { f32: eps },
    OVER_OUTPUT: over === "outputRows",
    ...(cpu && { LANES: groupLanes }),
  };
  return [
    {
      key: variantKey(target, "rms_norm", ...codesKey(quantized)),
      precision: target.precision,
      header: makeHeader(target, consts),
      files: cpu ? cpuFiles(quantized) : ["rms_norm.wgsl", "parts/reduce/workgroup.wgsl", ...fourFiles(quantized)],
      bindings: [
        { name: "x", from: "input0", type: "array<vec4<act_t>>", access: "read" },
        { name: "w", from: "vector0", type: "array<vec4<f32>>", access: "read" },
        ...rowBindings(quantized),
      ],
      usesStep: true,
      grid: (step) => (cpu ? [ceilDiv(step[over] * groups * groupLanes, cpuLanes), 1, 1] : [groups, step[over], 1]),
    },
  ];
}

function cpuFiles(quantized: Quantized | undefined): readonly string[] {
  return quantized ? ["rms_norm_codes_cpu.wgsl", ...blockFiles(quantized)] : ["rms_norm_cpu.wgsl"];
}

/** y = x / sqrt(mean(x^2) + eps) * w, over each group of `cols` elements; x [rows, groups * cols], w [cols]. arXiv:1910.07467 */
export const rmsNorm: Kernel<RmsNormAttributes> = {
  name: "rms_norm",
  outputs: ({ cols, groups, over = "rows", quantized }) => rowOutputs({ cols: cols * groups, over, quantized }),
  variants,
  operands: ({ cols, groups, over = "rows" }) => ({ inputs: [{ rows: over, cols: cols * groups, type: "act" }], vectors: [cols] }),
  work: (attributes, step) => ({
    bytes: streamedBytes(rmsNorm.operands(attributes), rmsNorm.outputs(attributes), step),
    macs: 3 * step[attributes.over ?? "rows"] * attributes.cols * attributes.groups,
  }),
};
