// The first half of sampling, over the whole vocabulary by many workgroups: what each token's logit is after penalties, bias and mask, and
// of every tile of 1024 tokens the largest and the mass.

import { sampleTileTokens } from "../base/layout.ts";
import { tilesOf } from "../sampling/weights.ts";
import type { CpuArgs, CpuTensor, Kernel, KernelTarget, Variant } from "./kernel.ts";
import { bitsOf, logitRow, logitSpec } from "./logits.ts";
import {
  candidateRow,
  makeSampling,
  type SampleAttributes,
  sampleConsts,
  samplingOf,
  slotRule,
  slotWords,
  tileCount,
} from "./sample_rows.ts";
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

/** A logit as a word that compares as the floats do; the zeros are equal. */
function keyOf(value: number): number {
  const [bits] = bitsOf(Float32Array.of(value === 0 ? 0 : value));
  return (bits >= 0x80000000 ? ~bits : bits | 0x80000000) >>> 0;
}

function reference({ cols }: SampleAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [logits] = args.inputs;
  const state = samplingOf(args);
  const tiles = tileCount(cols);
  const z = new Float32Array(logits.rows * cols).fill(Number.NaN);
  const data = new Float32Array(logits.rows * tiles * tileWords);
  for (let row = 0; row < logits.rows; row++) {
    const { slot } = args.rows[args.outputRows[row]];
    const rule = slotRule(slotWords(state, slot));
    const candidates = candidateRow(logitRow(logits, row), slot, state);
    if (writesZ(rule)) z.set(candidates.logits, row * cols);
    const words = tilesOf(candidates.logits, sumsMasses(rule, cols) ? rule.scale : 0).map(({ top, topId, mass }, tile) => {
      const flags = (candidates.broken[tile] ? tileFlag.broken : 0) + (candidates.finite[tile] ? tileFlag.finite : 0);
      return [keyOf(top), topId, mass, flags];
    });
    bitsOf(data).set(words.flat(), row * tiles * tileWords);
  }
  return [
    { rows: logits.rows, cols, data: z },
    { rows: logits.rows, cols: tiles * tileWords, data },
  ];
}

/** Whether a row's logits change and are looked at again; else `sample_pick` reads the raw ones. */
function writesZ({ greedy, flags }: { readonly greedy: boolean; readonly flags: number }): boolean {
  return !greedy && flags !== 0;
}

/** Whether anything needs the mass of the whole row: top-k makes a total of its own. */
function sumsMasses({ greedy, topK }: { readonly greedy: boolean; readonly topK: number }, cols: number): boolean {
  return !greedy && (topK === 0 || topK >= cols);
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
  reference,
  operands: ({ cols }) => ({ inputs: [logitSpec(cols)], sampling: (rng, slots) => makeSampling(cols, rng, slots) }),
  work: (attributes, step) => ({
    bytes: streamedBytes(sampleTiles.operands(attributes), sampleTiles.outputs(attributes), step),
    macs: 8 * step.outputRows * attributes.cols,
  }),
};
