// Logits and options that a sampler can get wrong, and exact probabilities to compare draws with: softmax in float64, filters by sorting.

import { seededRng } from "../base/rng.ts";
import { greedySampling, type SamplingParams } from "../sampling/params.ts";

/** Named logits of a vocabulary. */
export function hardLogits(size: number, seed: number): ReadonlyMap<string, Float32Array> {
  const rng = seededRng(seed);
  const of = (value: (id: number) => number): Float32Array => Float32Array.from({ length: size }, (_, id) => value(id));
  return new Map([
    ["normal", of(() => 3 * rng.normal())],
    ["a few that stand out", of((id) => rng.normal() + (id % 97 === 5 ? 12 + rng.unit() : 0))],
    ["ties", of(() => Math.round(rng.normal()))],
    ["all equal", of(() => 1.5)],
    ["one huge", of((id) => (id === size - 1 - (size >> 2) ? 1e4 : rng.normal()))],
    ["holes", of((id) => (id % 3 === 0 ? 2 * rng.normal() : Number.NEGATIVE_INFINITY))],
    ["zeros of both signs", of((id) => (id % 2 === 0 ? -0 : 0))],
    ["denormals", of(() => (rng.unit() - 0.5) * 1e-39)],
    ["spread over 1e4", of(() => (rng.unit() - 0.5) * 2e4)],
    ["all near -1e4", of(() => -1e4 + rng.normal())],
  ]);
}

/** Options by name, each with what sets it apart. */
export const optionSets: ReadonlyMap<string, Partial<SamplingParams>> = new Map<string, Partial<SamplingParams>>([
  ["greedy", {}],
  ["plain", { temperature: 1 }],
  ["cold", { temperature: 0.1 }],
  ["coldest", { temperature: 1e-6 }],
  ["hot", { temperature: 2 }],
  ["top-k 1", { temperature: 1, topK: 1 }],
  ["top-k 5", { temperature: 0.7, topK: 5 }],
  ["top-k 200", { temperature: 1.3, topK: 200 }],
  ["top-p 0", { temperature: 1, topP: 0 }],
  ["top-p 0.9", { temperature: 0.9, topP: 0.9 }],
  ["top-p 0.999", { temperature: 1, topP: 0.999 }],
  ["min-p", { temperature: 1, minP: 0.07 }],
  ["min-p 1", { temperature: 1, minP: 1 }],
  ["top-k and top-p", { temperature: 0.8, topK: 40, topP: 0.95 }],
  ["top-p and min-p", { temperature: 1.1, topP: 0.8, minP: 0.02 }],
  ["everything", { temperature: 0.85, topK: 50, topP: 0.9, minP: 0.01 }],
]);

/** Penalties and biases, in numbers that do not round well. */
export function penaltySets(size: number): ReadonlyMap<string, Partial<SamplingParams>> {
  const bias = new Map([
    [0, 1.7],
    [size - 1, -100],
    [size >> 1, 2.3],
  ]);
  return new Map<string, Partial<SamplingParams>>([
    ["repetition", { temperature: 0.9, repetitionPenalty: 1.3 }],
    ["frequency and presence", { temperature: 0.7, topK: 8, frequencyPenalty: 0.7, presencePenalty: 0.3 }],
    ["greedy with penalties", { repetitionPenalty: 1.1, frequencyPenalty: 0.9 }],
    ["bias", { temperature: 1, topP: 0.9, logitBias: bias }],
    ["greedy with bias", { logitBias: bias }],
    [
      "all of them",
      { temperature: 1.2, topP: 0.95, repetitionPenalty: 0.8, presencePenalty: -0.4, frequencyPenalty: 0.11, logitBias: bias },
    ],
  ]);
}

export function samplingParams(changes: Partial<SamplingParams>, seed: number): SamplingParams {
  return { ...greedySampling, seed, ...changes };
}

/** [V] what the options make of logits, without penalties. */
export function exactProbabilities(logits: Float32Array, { temperature, topK, topP, minP }: SamplingParams): Float64Array {
  const max = logits.reduce((most, value) => Math.max(most, value));
  const weights = Float64Array.from(logits, (value) => Math.exp((value - max) / temperature));
  const order = Array.from(logits.keys()).toSorted((a, b) => logits[b] - logits[a] || a - b);
  if (topK > 0) for (const id of order.slice(topK)) weights[id] = 0;
  const mass = weights.reduce((sum, weight) => sum + weight, 0);
  let before = 0;
  for (const id of order) {
    const own = weights[id];
    if (topP < 1 && before >= topP * mass && before > 0) weights[id] = 0;
    before += own;
  }
  for (const [id, weight] of weights.entries()) if (weight < minP) weights[id] = 0;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/**
 * Probability of a chi-squared statistic at least as large as that of the counts. Tokens expected fewer than 10 times are one class; a
 * token of probability 0 that was drawn makes it 0. Wilson and Hilferty's approximation (PNAS 17, 1931).
 */
export function chiSquaredP(ids: Iterable<number>, probabilities: Float64Array): number {
  const counts = new Float64Array(probabilities.length);
  let draws = 0;
  for (const id of ids) {
    counts[id]++;
    draws++;
  }
  const classes: { expected: number; count: number }[] = [];
  const rare = { expected: 0, count: 0 };
  for (const [id, probability] of probabilities.entries()) {
    const expected = probability * draws;
    if (probability === 0 && counts[id] > 0) return 0;
    if (expected >= 10) classes.push({ expected, count: counts[id] });
    else {
      rare.expected += expected;
      rare.count += counts[id];
    }
  }
  if (rare.expected >= 10) classes.push(rare);
  const statistic = classes.reduce((sum, { expected, count }) => sum + (count - expected) ** 2 / expected, 0);
  const freedom = classes.length - 1;
  const normal = (Math.cbrt(statistic / freedom) - (1 - 2 / (9 * freedom))) / Math.sqrt(2 / (9 * freedom));
  return upperTail(normal);
}

/** Of the standard normal distribution (Abramowitz and Stegun 26.2.17, error below 1e-7). */
function upperTail(x: number): number {
  if (x < 0) return 1 - upperTail(-x);
  const t = 1 / (1 + 0.2316419 * x);
  const tail = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * tail;
}
