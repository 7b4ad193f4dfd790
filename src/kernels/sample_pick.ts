// The second half of sampling: one token for each output row, by a search for thresholds and an inverse of the cumulative distribution.

import { adjustWords, chosenFlag, chosenWords, noToken, samplingField, samplingFlag } from "../base/layout.ts";
import { randomUnit } from "../base/rng.ts";
import { drawToken } from "../sampling/draw.ts";
import { lowestLogit } from "../sampling/weights.ts";
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
import { sampleTiles, tileWords } from "./sample_tiles.ts";
import { loopPart, makeHeader, variantKey } from "./target.ts";

const parts = [
  "parts/sample/candidate.wgsl",
  "parts/sample/weight.wgsl",
  "parts/sample/wide.wgsl",
  "parts/sample/live.wgsl",
  "parts/sample/search.wgsl",
  "parts/sample/draw.wgsl",
];

/** Lanes on CPU drivers: as wide as their vectors. */
const softwareLanes = 8;

function variants({ cols }: SampleAttributes, target: KernelTarget): readonly Variant[] {
  const plain = { ...target, precision: "f32" } as const;
  return [
    {
      key: variantKey(plain, "sample_pick"),
      precision: target.precision,
      header: makeHeader(plain, { ...sampleConsts(cols), WG: target.caps.software ? softwareLanes : 256 }),
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

/** The words of a row, and its slot afterwards. */
function pickRow(raw: Float32Array, slot: number, state: ReturnType<typeof samplingOf>): readonly number[] {
  const words = slotWords(state, slot);
  const rule = slotRule(words);
  const { logits, broken, finite } = candidateRow(raw, slot, state);
  const refused = (flag: number): number[] => [noToken + flag, 0, flag, rule.counter];
  if (broken.includes(true)) return refused(chosenFlag.numeric);
  if (logits.every((value) => value === lowestLogit)) {
    const masked = (rule.flags & samplingFlag.mask) !== 0 && finite.includes(true);
    return refused(masked ? chosenFlag.deadEnd : chosenFlag.numeric);
  }
  const id = drawToken(logits, rule, randomUnit(rule.seed, rule.counter));
  words[samplingField.counter]++;
  if ((rule.flags & samplingFlag.penalties) !== 0) state.adjust[(slot * raw.length + id) * adjustWords]++;
  return [id, bitsOf(raw)[id], rule.stopIds.includes(id) ? chosenFlag.stop : chosenFlag.ok, rule.counter];
}

function reference(_: SampleAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [logits] = args.inputs;
  const data = new Float32Array(logits.rows * chosenWords);
  for (let row = 0; row < logits.rows; row++) {
    const { slot } = args.rows[args.outputRows[row]];
    bitsOf(data).set(pickRow(logitRow(logits, row), slot, samplingOf(args)), row * chosenWords);
  }
  return [{ rows: logits.rows, cols: chosenWords, data }];
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
  reference,
  operands: ({ cols }) => ({
    inputs: [
      logitSpec(cols),
      { rows: "outputRows", cols, type: "f32", derive: (args) => sampleTiles.reference({ cols }, args)[0] },
      { rows: "outputRows", cols: tileCount(cols) * tileWords, type: "u32", derive: (args) => sampleTiles.reference({ cols }, args)[1] },
    ],
    sampling: (rng, slots) => makeSampling(cols, rng, slots),
  }),
  work: ({ cols }, step) => ({ bytes: 4 * step.outputRows * (tileCount(cols) * tileWords + chosenWords), macs: 0 }),
};
