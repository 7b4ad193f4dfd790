// The token of each output row that is greedy and whose logits nothing changes: what `sample_tiles` and `sample_pick` would choose, from the
// numbers that the product before kept of every eight columns.

import { chosenWords, rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { InputSpec, Kernel, KernelTarget, Variant } from "./kernel.ts";
import { logitSpec } from "./logits.ts";
import { bestOf } from "./matrix.ts";
import { type SampleAttributes, sampleConsts } from "./sample_rows.ts";
import { loopPart, makeHeader, variantKey } from "./target.ts";

/** Lanes on CPU drivers: as wide as their vectors. */
const softwareLanes = 8;

function variants({ cols }: SampleAttributes, target: KernelTarget): readonly Variant[] {
  if (target.deviceClass === "cpu") return [];
  const plain = { ...target, precision: "f32" } as const;
  const eights = ceilDiv(cols, bestOf);
  const { COLS, STRIDE, SLOT_WORDS } = sampleConsts(cols);
  const WG = target.caps.software ? softwareLanes : 256;
  return [
    {
      key: variantKey(plain, "pick_best"),
      precision: target.precision,
      header: makeHeader(plain, { WG, COLS, STRIDE, SLOT_WORDS, EIGHTS: eights, BEST_STRIDE: rowStride(eights) / 4 }),
      files: ["pick_best.wgsl", "parts/sample/candidate.wgsl", loopPart(target)],
      bindings: [
        { name: "logits", from: "input0", type: "array<vec4<u32>>", access: "read" },
        { name: "best", from: "input1", type: "array<vec4<u32>>", access: "read" },
        { name: "sampling", from: "sampling", type: "array<u32>", access: "read_write" },
        { name: "chosen", from: "output0", type: "array<vec4<u32>>", access: "read_write" },
      ],
      usesStep: true,
      grid: (step) => [step.outputRows, 1, 1],
    },
  ];
}

/** What `linear` keeps of such logits. */
function bestSpec(cols: number): InputSpec {
  const eights = ceilDiv(cols, bestOf);
  return {
    rows: "outputRows",
    cols: eights,
    type: "f32",
    derive: ({ inputs: [{ rows, data }] }) => {
      const best = Float32Array.from({ length: rows * eights }, (_, index) => {
        const [row, first] = [Math.floor(index / eights), (index % eights) * bestOf];
        const values = data.subarray(row * cols + first, row * cols + Math.min(first + bestOf, cols));
        return values.some((value) => Number.isNaN(value)) ? Number.POSITIVE_INFINITY : Math.max(...values);
      });
      return { rows, cols: eights, data: best };
    },
  };
}

/**
 * For each output row of f32 logits [outputRows, V] with the largest of every eight [outputRows, ceil(V / 8)], chosen u32 [outputRows, 4]:
 * word for word what `sample_pick` gives a slot that is greedy, without penalties, bias and mask, to which its caller must see. Moves the
 * slot's counter on.
 */
export const pickBest: Kernel<SampleAttributes> = {
  name: "pick_best",
  outputs: () => [{ rows: "outputRows", cols: chosenWords, type: "u32" }],
  variants,
  operands: ({ cols }) => ({ inputs: [logitSpec(cols), bestSpec(cols)], sampling: { cols } }),
  work: ({ cols }, step) => ({ bytes: 4 * step.outputRows * (ceilDiv(cols, bestOf) + bestOf + chosenWords), macs: 0 }),
};
