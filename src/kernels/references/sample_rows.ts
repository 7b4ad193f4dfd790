// Rows of candidates on the CPU, from a slot's words as the GPU has them. The rest of the references is the CPU sampler.

import { assert } from "../../base/errors.ts";
import { adjustWords, maskWords, promptBit, samplingField, samplingFlag, samplingWords, sampleTileTokens } from "../../base/layout.ts";
import { ruleOf, type SamplingRule } from "../../sampling/packed.ts";
import { penalize } from "../../sampling/penalties.ts";
import { lowestLogit, mostLogit } from "../../sampling/weights.ts";
import type { CpuArgs, CpuSampling } from "../kernel.ts";
import { tileCount } from "../sample_rows.ts";

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
