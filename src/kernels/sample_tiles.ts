// The first half of sampling, over the whole vocabulary by many workgroups: what each token's logit is after penalties, bias and mask, and
// of every tile of 1024 tokens the largest and the mass.

import { sampleTileTokens } from "../base/layout.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { logitSpec } from "./logits.ts";
import { type SampleAttributes, sampleConsts, tileCount } from "./sample_rows.ts";
import { loopPart, makeHeader, variantKey } from "./target.ts";
import { streamedBytes } from "./work.ts";

/** Words of a tile: key of its largest logit, the first id that has it, its mass, `tileFlag`s. */
export const tileWords = 4;
/** NaN or positive infinity in a tile; anything finite, allowed or not. */
export const tileFlag = { broken: 1, finite: 2 } as const;

/** Parts that both classes need. */
const parts = ["parts/sample/candidate.wgsl", "parts/sample/adjusted.wgsl", "parts/sample/weight.wgsl"];

/** Tiles of a workgroup on CPU drivers: a thread each, as wide as their vectors. */
const cpuThreads = 8;

function variants({ cols }: SampleAttributes, target: KernelTarget): readonly Variant[] {
  const cpu = target.deviceClass === "cpu";
  const plain = { ...target, precision: "f32" } as const;
  const tiles = tileCount(cols);
  return [
    {
      key: variantKey(plain, "sample_tiles"),
      precision: target.precision,
      header: makeHeader(plain, { ...sampleConsts(cols), WG: cpu ? cpuThreads : sampleTileTokens / 4 }),
      files: [...(cpu ? ["sample_tiles_cpu.wgsl"] : ["sample_tiles.wgsl", loopPart(target)]), ...parts],
      bindings: [
        { name: "logits", from: "input0", type: "array<vec4<u32>>", access: "read" },
        { name: "sampling", from: "sampling", type: "array<u32>", access: "read" },
        { name: "adjust", from: "adjust", type: "array<vec2<u32>>", access: "read" },
        { name: "allowed", from: "mask", type: "array<u32>", access: "read" },
        { name: "z", from: "output0", type: "array<vec4<u32>>", access: "read_write" },
        { name: "tiles", from: "output1", type: "array<vec4<u32>>", access: "read_write" },
      ],
      usesStep: true,
      grid: (step) => [cpu ? Math.ceil(tiles / cpuThreads) : tiles, step.outputRows, 1],
    },
  ];
}

/**
 * For each output row of f32 logits [outputRows, V]:
 * z [outputRows, V], the logits after penalties, bias and mask within +-1e30, -3e38 where nothing may be drawn; left alone where the
 * slot is greedy or changes no logit. And tiles u32 [outputRows, 4 * tiles]: for each 1024 tokens the key of the largest, the first id
 * that has it, the sum of the tokens' weights (2^31 for that largest one) over 1024, and flags. Logits are read once.
 */
export const sampleTiles: Kernel<SampleAttributes> = {
  name: "sample_tiles",
  outputs: ({ cols }) => [
    { rows: "outputRows", cols, type: "f32", exact: () => true, leaves: true },
    { rows: "outputRows", cols: tileCount(cols) * tileWords, type: "u32" },
  ],
  variants,
  operands: ({ cols }) => ({ inputs: [logitSpec(cols)], sampling: { cols } }),
  work: (attributes, step) => ({
    bytes: streamedBytes(sampleTiles.operands(attributes), sampleTiles.outputs(attributes), step),
    macs: 8 * step.outputRows * attributes.cols,
  }),
};
