// Slots of the sampler that try every option, for checks.

import { adjustWords, maskWords, promptBit, samplingWords } from "../../base/layout.ts";
import type { Rng } from "../../base/rng.ts";
import { packSampling } from "../../sampling/packed.ts";
import { greedySampling, type SamplingParams } from "../../sampling/params.ts";
import type { CpuSampling } from "../kernel.ts";

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
