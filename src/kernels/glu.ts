// The gated linear unit between the two halves of a feed-forward block.

import { ceilDiv } from "../base/math.ts";
import { type Quantized, codesKey, rowBindings, rowConsts, rowFiles, rowOutputs, rowResults, rowThreads, takesCodes } from "./codes.ts";
import type { CpuArgs, CpuTensor, Kernel, KernelTarget, Variant } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";
import { streamedBytes } from "./work.ts";

export interface GluAttributes {
  readonly cols: number;
  /** `gelu` is the tanh approximation, as in ggml. */
  readonly activation: "silu" | "gelu";
  readonly quantized?: Quantized;
}

const workgroupSize = 64;

function variants({ cols, activation, quantized }: GluAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target) || !takesCodes(target, quantized)) return [];
  const rows = { cols, over: "rows", quantized } as const;
  return [
    {
      key: variantKey(target, "glu", activation, ...codesKey(quantized)),
      precision: target.precision,
      header: makeHeader(target, {
        WG: workgroupSize,
        ...rowConsts(rows),
        GELU: activation === "gelu",
        OVER_OUTPUT_ROWS: false,
      }),
      files: ["glu.wgsl", ...rowFiles(quantized, target)],
      bindings: [
        { name: "gate", from: "input0", type: "array<vec4<act_t>>", access: "read" },
        { name: "up", from: "input1", type: "array<vec4<act_t>>", access: "read" },
        ...rowBindings(quantized),
      ],
      usesStep: true,
      grid: (step) => [ceilDiv(rowThreads(rows, target), workgroupSize), step.rows, 1],
    },
  ];
}

function silu(x: number): number {
  return x / (1 + Math.exp(-x));
}

function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

function reference({ activation, quantized }: GluAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [gate, up] = args.inputs;
  const apply = activation === "silu" ? silu : gelu;
  const y: CpuTensor = { rows: gate.rows, cols: gate.cols, data: gate.data.map((value, index) => apply(value) * up.data[index]) };
  return rowResults(y, quantized);
}

/** y = activation(gate) * up over activations [rows, cols]: SwiGLU or GeGLU. arXiv:2002.05202 */
export const glu: Kernel<GluAttributes> = {
  name: "glu",
  outputs: ({ cols, quantized }) => rowOutputs({ cols, over: "rows", quantized }),
  variants,
  reference,
  operands: ({ cols }) => ({
    inputs: [
      // Wide enough to reach where exp overflows.
      { rows: "rows", cols, type: "act", fill: (rng, _, col) => rng.normal() * (col % 7 === 0 ? 120 : 2) },
      { rows: "rows", cols, type: "act" },
    ],
  }),
  work: (attributes, step) => ({
    bytes: streamedBytes(glu.operands(attributes), glu.outputs(attributes), step),
    macs: step.rows * attributes.cols,
  }),
};
