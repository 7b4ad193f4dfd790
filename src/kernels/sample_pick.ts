// The second half of sampling: one token for each output row, by a search for thresholds and an inverse of the cumulative distribution.

import { chosenWords } from "../base/layout.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { logitSpec } from "./logits.ts";
import { type SampleAttributes, sampleConsts, tileCount } from "./sample_rows.ts";
import { sampleTiles, tileWords } from "./sample_tiles.ts";
import { loopPart, makeHeader, variantKey } from "./target.ts";

const parts = [
  "parts/sample/candidate.wgsl",
  "parts/sample/weight.wgsl",
  "parts/sample/wide.wgsl",
  "parts/sample/bins.wgsl",
  "parts/sample/live.wgsl",
  "parts/sample/search.wgsl",
  "parts/sample/passes.wgsl",
];

/** Lanes on CPU drivers: as wide as their vectors. */
const softwareLanes = 8;

/** Bits of the digits that are searched by: a byte on GPUs, less where workgroup memory takes time to compile, and at least all tiles. */
function binBits(cols: number, software: boolean): number {
  return Math.max(software ? 6 : 8, Math.ceil(Math.log2(tileCount(cols))));
}

function variants({ cols }: SampleAttributes, target: KernelTarget): readonly Variant[] {
  const plain = { ...target, precision: "f32" } as const;
  const { software } = target.caps;
  const bits = binBits(cols, software);
  const consts = { ...sampleConsts(cols), BIN_BITS: bits, BINS: 2 ** bits, WG: software ? softwareLanes : 256 };
  return [
    {
      key: variantKey(plain, "sample_pick"),
      precision: target.precision,
      header: makeHeader(plain, consts),
      files: ["sample_pick.wgsl", ...parts, loopPart(target)],
      bindings: [
        { name: "logits", from: "input0", type: "array<vec4<u32>>", access: "read" },
        { name: "z", from: "input1", type: "array<vec4<u32>>", access: "read" },
        { name: "tiles", from: "input2", type: "array<vec4<u32>>", access: "read" },
        { name: "sampling", from: "sampling", type: "array<u32>", access: "read_write" },
        { name: "adjust", from: "adjust", type: "array<vec2<u32>>", access: "read_write" },
        { name: "chosen", from: "output0", type: "array<vec4<u32>>", access: "read_write" },
      ],
      usesStep: true,
      grid: (step) => [step.outputRows, 1, 1],
    },
  ];
}

/**
 * For each output row of f32 logits [outputRows, V] with what `sample_tiles` made of them, chosen u32 [outputRows, 4]: id, bits of the
 * raw logit, flag, counter of the draw. Rows have different slots. Flags are `chosenFlag`s; without a token, word 0 is `noToken` with
 * the flag in its low byte. Moves the slot's counter on and counts the id where the slot has penalties. The same logits, options and
 * counter give the token that `sampleToken` gives.
 */
export const samplePick: Kernel<SampleAttributes> = {
  name: "sample_pick",
  outputs: () => [{ rows: "outputRows", cols: chosenWords, type: "u32" }],
  variants,
  operands: ({ cols }) => ({
    inputs: [
      logitSpec(cols),
      { rows: "outputRows", cols, type: "f32", derive: (args, referenceOf) => referenceOf(sampleTiles)({ cols }, args)[0] },
      {
        rows: "outputRows",
        cols: tileCount(cols) * tileWords,
        type: "u32",
        derive: (args, referenceOf) => referenceOf(sampleTiles)({ cols }, args)[1],
      },
    ],
    sampling: { cols },
  }),
  work: ({ cols }, step) => ({ bytes: 4 * step.outputRows * (tileCount(cols) * tileWords + chosenWords), macs: 0 }),
};
