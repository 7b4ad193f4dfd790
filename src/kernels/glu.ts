// The gated linear unit between the two halves of a feed-forward block.

import { assert } from "../base/errors.ts";
import { rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { Rng } from "../base/rng.ts";
import type { Activation } from "./activation.ts";
import { type Quantized, codesKey, rowBindings, rowConsts, rowFiles, rowOutputs, rowThreads, takesCodes } from "./codes.ts";
import type { InputSpec, Kernel, KernelBinding, KernelTarget, Variant } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";
import { streamedBytes } from "./work.ts";

export interface GluAttributes {
  readonly cols: number;
  readonly activation: Activation;
  readonly quantized?: Quantized;
  /** Both inputs lie in one value: gate from column 0 on, up from `upStart` on, a multiple of 8. */
  readonly stacked?: { readonly upStart: number };
}

const workgroupSize = 64;

function inputBindings({ stacked }: GluAttributes): readonly KernelBinding[] {
  const names = stacked ? ["halves"] : ["gate", "up"];
  return names.map((name, index) => ({ name, from: `input${index}`, type: "array<vec4<act_t>>", access: "read" }));
}

/** Where the halves are, in vec4. */
function stackConsts({ cols, stacked }: GluAttributes): Record<string, number> {
  if (!stacked) return {};
  assert(
    stacked.upStart >= cols && stacked.upStart % 4 === 0,
    `a half of ${cols} columns ends before column ${stacked.upStart}, a multiple of 4`,
  );
  return { COLS: cols, HALVES_STRIDE: rowStride(stacked.upStart + cols) / 4, UP_START: stacked.upStart / 4 };
}

function variants(attributes: GluAttributes, target: KernelTarget): readonly Variant[] {
  const { cols, activation, quantized, stacked } = attributes;
  if (!supports(target) || !takesCodes(target, quantized)) return [];
  const rows = { cols, over: "rows", quantized } as const;
  const halves = stacked ? "stacked" : "two";
  return [
    {
      key: variantKey(target, "glu", activation, ...(stacked ? [halves] : []), ...codesKey(quantized)),
      precision: target.precision,
      header: makeHeader(target, { WG: workgroupSize, ...rowConsts(rows), ...stackConsts(attributes), OVER_OUTPUT_ROWS: false }),
      files: ["glu.wgsl", `parts/activation/${activation}.wgsl`, `parts/gated/${halves}.wgsl`, ...rowFiles(quantized, target)],
      bindings: [...inputBindings(attributes), ...rowBindings(quantized)],
      usesStep: true,
      grid: (step) => [ceilDiv(rowThreads(rows, target), workgroupSize), step.rows, 1],
    },
  ];
}

/** Gates, wide enough to reach where exp overflows. */
function gates(rng: Rng, col: number): number {
  return rng.normal() * (col % 7 === 0 ? 120 : 2);
}

function inputSpecs({ cols, stacked }: GluAttributes): readonly InputSpec[] {
  if (!stacked) {
    return [
      { rows: "rows", cols, type: "act", fill: (rng, _, col) => gates(rng, col) },
      { rows: "rows", cols, type: "act" },
    ];
  }
  const { upStart } = stacked;
  const fill = (rng: Rng, col: number): number => (col < cols ? gates(rng, col) : col < upStart ? Number.NaN : rng.normal());
  return [{ rows: "rows", cols: upStart + cols, type: "act", fill: (rng, _, col) => fill(rng, col) }];
}

/** y = activation(gate) * up over activations [rows, cols]: SwiGLU or GeGLU. arXiv:2002.05202 */
export const glu: Kernel<GluAttributes> = {
  name: "glu",
  outputs: ({ cols, quantized }) => rowOutputs({ cols, over: "rows", quantized }),
  variants,
  operands: (attributes) => ({ inputs: inputSpecs(attributes) }),
  work: (attributes, step) => ({
    bytes: streamedBytes(glu.operands(attributes), glu.outputs(attributes), step),
    macs: step.rows * attributes.cols,
  }),
};
