// What the sampling kernels should give: the CPU sampler's choices.

import { adjustWords, chosenFlag, chosenWords, noToken, samplingField, samplingFlag } from "../../base/layout.ts";
import { randomUnit } from "../../base/rng.ts";
import { drawToken } from "../../sampling/draw.ts";
import { lowestLogit, mostLogit, tilesOf } from "../../sampling/weights.ts";
import type { CpuArgs, CpuTensor } from "../kernel.ts";
import { type SampleAttributes, tileCount } from "../sample_rows.ts";
import { tileFlag, tileWords } from "../sample_tiles.ts";
import { bestLogit, bitsOf, brokenRow, logitRow } from "./logits.ts";
import { candidateRow, samplingOf, slotRule, slotWords } from "./sample_rows.ts";

/** A logit as a word that compares as the floats do; the zeros are equal. */
function keyOf(value: number): number {
  const [bits] = bitsOf(Float32Array.of(value === 0 ? 0 : value));
  return (bits >= 0x80000000 ? ~bits : bits | 0x80000000) >>> 0;
}

export function sampleTilesReference({ cols }: SampleAttributes, args: CpuArgs): readonly CpuTensor[] {
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

export function samplePickReference(_: SampleAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [logits] = args.inputs;
  const data = new Float32Array(logits.rows * chosenWords);
  for (let row = 0; row < logits.rows; row++) {
    const { slot } = args.rows[args.outputRows[row]];
    bitsOf(data).set(pickRow(logitRow(logits, row), slot, samplingOf(args)), row * chosenWords);
  }
  return [{ rows: logits.rows, cols: chosenWords, data }];
}

/** What a greedy slot that changes no logit is given; others are taken for one. */
export function pickBestReference(_: SampleAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [logits] = args.inputs;
  const data = new Float32Array(logits.rows * chosenWords);
  for (let row = 0; row < logits.rows; row++) {
    const { slot } = args.rows[args.outputRows[row]];
    const words = slotWords(samplingOf(args), slot);
    const { counter, stopIds } = slotRule(words);
    const raw = logitRow(logits, row);
    const chosen = bitsOf(data).subarray(row * chosenWords, (row + 1) * chosenWords);
    if (brokenRow(raw)) {
      chosen.set([noToken + chosenFlag.numeric, 0, chosenFlag.numeric, counter]);
      continue;
    }
    const candidates = raw.map((value) => (Number.isFinite(value) ? Math.max(-mostLogit, Math.min(mostLogit, value)) : lowestLogit));
    const id = candidates.indexOf(bestLogit(candidates));
    words[samplingField.counter]++;
    chosen.set([id, bitsOf(raw)[id], stopIds.includes(id) ? chosenFlag.stop : chosenFlag.ok, counter]);
  }
  return [{ rows: logits.rows, cols: chosenWords, data }];
}
