// What sample_tiles and sample_pick share: their order on candidates, a slot's words on the CPU, and operands that try every option.
// The reference is the CPU sampler; this file only brings its arguments into shape.

import { adjustWords, maskWords, promptBit, samplingField, samplingFlag, samplingWords } from "../base/layout.ts";
import { assert } from "../base/errors.ts";
import { rowStride, sampleTileTokens } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { Rng } from "../base/rng.ts";
import { packSampling, ruleOf, type SamplingRule } from "../sampling/packed.ts";
import { greedySampling, type SamplingParams } from "../sampling/params.ts";
import { penalize } from "../sampling/penalties.ts";
import { lowestLogit, mostLogit } from "../sampling/weights.ts";
import type { CpuArgs, CpuSampling } from "./kernel.ts";

export interface SampleAttributes {
  /** Vocabulary size. */
  readonly cols: number;
}

/** Tokens up to which all sums fit their words, and what is kept of each tile fits workgroup memory. */
const mostTokens = 2 ** 19;

export function tileCount(cols: number): number {
  return ceilDiv(cols, sampleTileTokens);
}

/** Consts of both kernels; strides in vec4. */
export function sampleConsts(cols: number): Record<string, number> {
  assert(cols >= 1 && cols <= mostTokens, `sampling from ${cols} tokens`);
  return {
    COLS: cols,
    STRIDE: rowStride(cols) / 4,
    TILES: tileCount(cols),
    TILE_FOURS: sampleTileTokens / 4,
    SLOT_WORDS: samplingWords,
    MASK_WORDS: maskWords(cols),
  };
}

/** What the sampler does with a row. */
export interface SlotRule extends SamplingRule {
  readonly flags: number;
  readonly seed: number;
  readonly counter: number;
  readonly stopIds: Uint32Array;
}

export function samplingOf(args: CpuArgs): CpuSampling {
  assert(args.sampling, "a sampler reads the slots' options");
  return args.sampling;
}

/** The words of a slot. */
export function slotWords({ sampling }: CpuSampling, slot: number): Uint32Array<ArrayBuffer> {
  return sampling.subarray(slot * samplingWords, (slot + 1) * samplingWords);
}

export function slotRule(words: Uint32Array<ArrayBuffer>): SlotRule {
  const field = samplingField;
  return {
    ...ruleOf(words),
    flags: words[field.flags],
    seed: words[field.seed],
    counter: words[field.counter],
    stopIds: words.subarray(field.stopIds, field.stopIds + words[field.stopCount]),
  };
}

/** What may be drawn from a row, and what is wrong with it. */
export interface CandidateRow {
  /** [V] within +-1e30, or `lowestLogit`. */
  readonly logits: Float32Array;
  /** For each tile, whether it holds NaN or positive infinity. */
  readonly broken: readonly boolean[];
  /** For each tile, whether anything in it is finite, allowed or not. */
  readonly finite: readonly boolean[];
}

/** Penalties, bias and mask of a slot on a row of raw logits. */
export function candidateRow(raw: Float32Array, slot: number, state: CpuSampling): CandidateRow {
  const cols = raw.length;
  const { adjust, mask } = state;
  const words = slotWords(state, slot);
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const biases = new Float32Array(adjust.buffer, adjust.byteOffset, adjust.length);
  const flags = words[samplingField.flags];
  const penalties = {
    repetition: floats[samplingField.repetition],
    repetitionInverse: floats[samplingField.repetitionInverse],
    frequency: floats[samplingField.frequency],
    presence: floats[samplingField.presence],
  };
  const adjusted = (id: number): number => {
    const at = (slot * cols + id) * adjustWords;
    let value = Math.min(Math.max(raw[id], -mostLogit), mostLogit);
    if ((flags & samplingFlag.penalties) !== 0 && adjust[at] !== 0) value = penalize(value, adjust[at] % promptBit, penalties);
    if ((flags & samplingFlag.bias) !== 0 && adjust[at + 1] !== 0) value = Math.fround(value + biases[at + 1]);
    return Math.min(Math.max(value, -mostLogit), mostLogit);
  };
  const allowed = (id: number): boolean => {
    if ((flags & samplingFlag.mask) === 0) return true;
    return ((mask[slot * maskWords(cols) + (id >>> 5)] >>> (id & 31)) & 1) === 1;
  };
  const broken = Array.from({ length: tileCount(cols) }, () => false);
  const finite = broken.slice();
  const logits = new Float32Array(cols).fill(lowestLogit);
  for (let id = 0; id < cols; id++) {
    const tile = Math.floor(id / sampleTileTokens);
    if (Number.isFinite(raw[id])) {
      finite[tile] = true;
      if (allowed(id)) logits[id] = adjusted(id);
    } else if (raw[id] !== Number.NEGATIVE_INFINITY) broken[tile] = true;
  }
  return { logits, broken, finite };
}

/** Short binary fractions, so that results are the same whether or not a compiler fuses multiplications and additions. */
const optionSets: readonly Partial<SamplingParams>[] = [
  { temperature: 1 },
  { temperature: 0.75, topK: 5, repetitionPenalty: 2, frequencyPenalty: 0.5 },
  { temperature: 1.5, topP: 0.9, presencePenalty: 0.25 },
  { temperature: 0.5, minP: 0.05, topK: 40 },
  { temperature: 0 },
  { temperature: 1, topK: 50, topP: 0.8, minP: 0.01, logitBias: new Map([[3, 4]]) },
  { temperature: 0, repetitionPenalty: 0.5, logitBias: new Map([[1, -100]]) },
  { temperature: 1, topP: 0.5, logitBias: new Map([[0, 2]]) },
];

/** Options, counts, biases and masks of every slot; `cols` of the vocabulary. */
export function makeSampling(cols: number, rng: Rng, slots: number): CpuSampling {
  const sampling = new Uint32Array(slots * samplingWords);
  const adjust = new Uint32Array(slots * cols * adjustWords);
  const biases = new Float32Array(adjust.buffer);
  const mask = new Uint32Array(slots * maskWords(cols)).map(() => rng.below(2 ** 32) | rng.below(2 ** 32));
  for (let slot = 0; slot < slots; slot++) {
    const params: SamplingParams = { ...greedySampling, seed: rng.below(2 ** 32), ...optionSets[slot % optionSets.length] };
    const stopIds = Array.from({ length: slot % 3 }, () => rng.below(cols));
    const words = packSampling(params, { stopIds, counter: rng.below(1000), masked: slot % 2 === 1 });
    sampling.set(words, slot * samplingWords);
    for (let count = 0; count < 1 + cols / 16; count++) {
      const at = (slot * cols + rng.below(cols)) * adjustWords;
      adjust[at] = rng.below(3) + (rng.below(2) === 1 ? promptBit : 0);
      biases[at + 1] = rng.below(9) / 4 - 1;
    }
  }
  return { sampling, adjust, mask };
}
