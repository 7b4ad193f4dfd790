import { describe, expect, test } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { seededRng } from "../base/rng.ts";
import { keepNucleus } from "./nucleus.ts";
import { greedySampling } from "./params.ts";
import type { SamplingParams } from "./params.ts";
import { penalizedLogits } from "./penalties.ts";
import { sampleToken, scoreToken } from "./sampler.ts";
import { lowestLogit, scaledMass, shareOf, weightOf } from "./weights.ts";

const noHistory = { promptIds: [], completionIds: [] };
const DRAWS = 20_000;

function params(changes: Partial<SamplingParams>): SamplingParams {
  return { ...greedySampling, temperature: 1, seed: 7, ...changes };
}

/** Logits whose softmax is `probabilities`. */
function logitsOf(probabilities: number[]): Float32Array {
  return Float32Array.from(probabilities, (p) => Math.log(p) + 3);
}

function frequencies(logits: Float32Array, sampling: SamplingParams): number[] {
  const counts = Array.from(logits, () => 0);
  for (let i = 0; i < DRAWS; i++) counts[sampleToken(logits, sampling, noHistory, i)]++;
  return counts;
}

/** Pearson's statistic of the counts; tokens of probability 0 must not occur at all. */
function chiSquared(counts: number[], probabilities: number[]): number {
  let statistic = 0;
  counts.forEach((count, id) => {
    const expected = probabilities[id] * DRAWS;
    if (expected === 0) expect(count, `token ${id} was filtered`).toBe(0);
    else statistic += (count - expected) ** 2 / expected;
  });
  return statistic;
}

// Upper 0.1% points of chi-squared by degrees of freedom (NIST/SEMATECH e-Handbook, table 1.3.6.7.4).
const CRITICAL: Record<number, number> = { 0: 0, 1: 10.828, 2: 13.816, 3: 16.266, 4: 18.467, 5: 20.515 };

function expectDistribution(logits: Float32Array, sampling: SamplingParams, probabilities: number[]): void {
  const freedom = probabilities.filter((p) => p > 0).length - 1;
  expect(chiSquared(frequencies(logits, sampling), probabilities)).toBeLessThanOrEqual(CRITICAL[freedom]);
}

function normalized(weights: number[]): number[] {
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / total);
}

describe("distribution over 20,000 draws (chi-squared, 0.1%)", () => {
  const p = [0.05, 0.4, 0.1, 0.25, 0.05, 0.15];

  test("no filter", () => expectDistribution(logitsOf(p), params({}), p));
  test("temperature 0.5 squares the odds", () =>
    expectDistribution(logitsOf(p), params({ temperature: 0.5 }), normalized(p.map((x) => x * x))));
  test("temperature 2 takes their root", () =>
    expectDistribution(logitsOf(p), params({ temperature: 2 }), normalized(p.map((x) => Math.sqrt(x)))));
  test("top-k 3", () => expectDistribution(logitsOf(p), params({ topK: 3 }), normalized([0, 0.4, 0, 0.25, 0, 0.15])));
  test("top-k larger than the vocabulary", () => expectDistribution(logitsOf(p), params({ topK: 1000 }), p));
  test("top-p 0.6", () => expectDistribution(logitsOf(p), params({ topP: 0.6 }), normalized([0, 0.4, 0, 0.25, 0, 0])));
  test("top-p cuts what top-k left", () =>
    // Of the three that top-k leaves (0.5, 0.3125, 0.1875) two have 0.8; of the whole vocabulary three would be needed.
    expectDistribution(logitsOf(p), params({ topK: 3, topP: 0.78 }), normalized([0, 0.4, 0, 0.25, 0, 0])));
  test("min-p 0.3 is of the most likely token", () =>
    expectDistribution(logitsOf(p), params({ minP: 0.3 }), normalized([0, 0.4, 0, 0.25, 0, 0.15])));
  test("top-p and min-p together", () =>
    expectDistribution(logitsOf(p), params({ topP: 0.9, minP: 0.5 }), normalized([0, 0.4, 0, 0.25, 0, 0])));
  test("a bias adds to the logit", () =>
    expectDistribution(logitsOf(p), params({ logitBias: new Map([[2, Math.log(4)]]) }), normalized([0.05, 0.4, 0.4, 0.25, 0.05, 0.15])));
  test("temperature comes before top-p", () =>
    // At temperature 0.5 the first two have 0.81 of the mass; before temperature they have 0.65.
    expectDistribution(logitsOf(p), params({ temperature: 0.5, topP: 0.8 }), normalized([0, 0.16, 0, 0.0625, 0, 0])));
  test("the test sees a wrong distribution", () => {
    const wrong = normalized([0.05, 0.4, 0.1, 0.25, 0.05, 0.18]);
    expect(chiSquared(frequencies(logitsOf(p), params({})), wrong)).toBeGreaterThan(CRITICAL[5]);
  });
});

/** The kept tokens by definition: sorted, the shortest prefix with the mass. */
function nucleusBySorting(weights: Uint32Array, logits: Float32Array, mass: number): number[] {
  const order = Array.from(weights.keys()).toSorted((a, b) => logits[b] - logits[a] || a - b);
  let sum = 0;
  const kept = order.filter((id) => {
    const inside = sum < mass && weights[id] > 0;
    sum += weights[id];
    return inside;
  });
  return kept.toSorted((a, b) => a - b);
}

test("top-p keeps what a full sort keeps, for flat, sharp, tied and masked distributions", () => {
  const rng = seededRng(9);
  for (let round = 0; round < 500; round++) {
    const spread = [0, 0.01, 1, 5, 60][round % 5];
    const logits = Float32Array.from({ length: 1 + rng.below(400) }, () => -Math.abs(rng.normal()) * spread);
    if (round % 3 === 0) logits.forEach((logit, id) => (logits[id] = Math.round(logit)));
    if (round % 7 === 0) logits[rng.below(logits.length)] = lowestLogit;
    logits[rng.below(logits.length)] = 0;
    const weights = Uint32Array.from(logits, (logit) => weightOf(0, logit, Math.fround(Math.LOG2E)));
    const whole = weights.reduce((sum, weight) => sum + weight, 0);
    const mass = Math.max(1, shareOf(whole, [0, 0.1, 0.5, 0.9, 0.95, 0.999][rng.below(6)] * 2 ** 24));
    const expected = nucleusBySorting(weights, logits, mass);
    keepNucleus(weights, logits, mass);
    const kept = Array.from(weights.keys()).filter((id) => weights[id] > 0);
    expect(kept, `round ${round}`).toEqual(expected);
  }
});

test("whole weights are exp to 1.2e-5, never grow with the distance, and sums in parts are exact", () => {
  const scale = Math.fround(Math.LOG2E / 0.7);
  let before = 2 ** 31;
  for (let step = 0; step < 40_000; step++) {
    const weight = weightOf(3, Math.fround(3 - step / 4096), scale);
    const exact = Math.exp(-(3 - Math.fround(3 - step / 4096)) / 0.7) * 2 ** 31;
    expect(weight).toBeLessThanOrEqual(before);
    expect(Math.abs(weight - exact)).toBeLessThanOrEqual(1.2e-5 * exact + 1);
    before = weight;
  }
  expect(weightOf(1, 1, scale)).toBe(2 ** 31);
  expect(weightOf(1e4, -1e4, scale)).toBe(0);
  expect(weightOf(0, lowestLogit, scale)).toBe(0);
  const rng = seededRng(2);
  for (let round = 0; round < 2000; round++) {
    const [a, b] = [rng.below(2 ** 31 + 1), rng.below(2 ** 31 + 1)];
    expect(scaledMass(a, b)).toBe(Number((BigInt(a) * BigInt(b)) >> 20n));
    const [whole, part] = [a * 2 ** 20 + b, rng.below(2 ** 24 + 1)];
    expect(shareOf(whole, part)).toBe(Number((BigInt(whole) * BigInt(part)) >> 24n));
  }
});

test("top-p over a flat vocabulary draws from all of its share", () => {
  const logits = new Float32Array(1000);
  const seen = new Set<number>();
  for (let i = 0; i < 5000; i++) seen.add(sampleToken(logits, params({ topP: 0.5 }), noHistory, i));
  expect(Math.max(...seen)).toBeLessThan(500);
  expect(seen.size).toBeGreaterThan(480);
});

test("greedy is the first of the largest, whatever the filters", () => {
  const logits = Float32Array.from([1, 5, 5, 2]);
  expect(sampleToken(logits, greedySampling, noHistory, 0)).toBe(1);
  for (let i = 0; i < 50; i++) {
    expect(sampleToken(logits, params({ topK: 1 }), noHistory, i)).toBe(1);
    expect(sampleToken(logits, params({ topP: 0 }), noHistory, i)).toBe(1);
    expect(sampleToken(logits, params({ topK: 3, temperature: 1e-30 }), noHistory, i)).toSatisfy((id: number) => id === 1 || id === 2);
  }
});

test("a seed reproduces, another seed differs, logits stay as they were", () => {
  const rng = seededRng(3);
  const logits = Float32Array.from({ length: 1000 }, () => rng.normal());
  const before = logits.slice();
  const run = (seed: number): number[] =>
    Array.from({ length: 64 }, (_, i) => sampleToken(logits, params({ seed, topP: 0.95, topK: 200, minP: 0.01 }), noHistory, i));
  expect(run(42)).toEqual(run(42));
  expect(run(42)).not.toEqual(run(43));
  const history = { promptIds: [1, 2], completionIds: [3, 3] };
  sampleToken(logits, params({ repetitionPenalty: 1.5, frequencyPenalty: 1, logitBias: new Map([[9, 5]]) }), history, 0);
  expect(logits).toEqual(before);
});

describe("penalties", () => {
  const history = { promptIds: [0, 1, 1], completionIds: [2, 2, 3] };
  const logits = Float32Array.from([2, -2, 4, 1, 5]);

  test("repetition divides positive and multiplies negative logits once each, prompt and completion", () => {
    expect(Array.from(penalizedLogits(logits, params({ repetitionPenalty: 2 }), history))).toEqual([1, -4, 2, 0.5, 5]);
  });
  test("frequency counts, presence does not, both over the completion only", () => {
    expect(Array.from(penalizedLogits(logits, params({ frequencyPenalty: 0.5 }), history))).toEqual([2, -2, 3, 0.5, 5]);
    expect(Array.from(penalizedLogits(logits, params({ presencePenalty: 0.5 }), history))).toEqual([2, -2, 3.5, 0.5, 5]);
  });
  test("without penalties nothing is copied", () => {
    expect(penalizedLogits(logits, params({}), history)).toBe(logits);
    expect(penalizedLogits(logits, params({ logitBias: new Map([[1, 1]]) }), history)).not.toBe(logits);
  });
  test("a ban by bias holds in greedy and in sampling", () => {
    const ban = new Map([[4, -100]]);
    expect(sampleToken(logits, { ...greedySampling, logitBias: ban }, history, 0)).toBe(2);
    for (let i = 0; i < 200; i++) expect(sampleToken(logits, params({ logitBias: ban }), history, i)).not.toBe(4);
  });
});

/** A mask of these of 70 tokens. */
function only(...ids: number[]): Uint32Array {
  const words = new Uint32Array(3);
  for (const id of ids) words[id >>> 5] |= 1 << (id & 31);
  return words;
}

describe("a mask of allowed tokens", () => {
  const logits = Float32Array.from({ length: 70 }, (_, id) => -id / 10);
  test("leaves its tokens alone, in greedy, in sampling and under a bias", () => {
    const history = { ...noHistory, allowed: only(3, 32, 69) };
    expect(sampleToken(logits, greedySampling, history, 0)).toBe(3);
    const seen = new Set(Array.from({ length: 500 }, (_, draw) => sampleToken(logits, params({}), history, draw)));
    expect([...seen].toSorted((a, b) => a - b)).toEqual([3, 32, 69]);
    expect(sampleToken(logits, { ...greedySampling, logitBias: new Map([[40, 100]]) }, history, 0)).toBe(3);
    expect(sampleToken(logits, params({ topK: 1 }), { ...noHistory, allowed: only(69) }, 0)).toBe(69);
  });
  test("is cut by what it leaves: top-k counts allowed tokens only", () => {
    const history = { ...noHistory, allowed: only(3, 32, 69) };
    for (let draw = 0; draw < 300; draw++) expect(sampleToken(logits, params({ topK: 2 }), history, draw)).not.toBe(69);
  });
  test("that allows nothing finite is a dead end, NaN under it still a numeric error", () => {
    expect(() => sampleToken(logits, params({}), { ...noHistory, allowed: only() }, 0)).toThrow(
      expect.objectContaining({ code: "GRAMMAR.dead_end" }),
    );
    const holes = logits.map((logit, id) => (id === 5 ? Number.NEGATIVE_INFINITY : logit));
    expect(() => sampleToken(holes, greedySampling, { ...noHistory, allowed: only(5) }, 0)).toThrow(
      expect.objectContaining({ code: "GRAMMAR.dead_end" }),
    );
    const broken = logits.map((logit, id) => (id === 5 ? Number.NaN : logit));
    expect(() => sampleToken(broken, greedySampling, { ...noHistory, allowed: only(6) }, 0)).toThrow(
      expect.objectContaining({ code: "GPU.numeric" }),
    );
    const nothing = logits.map(() => Number.NEGATIVE_INFINITY);
    expect(() => sampleToken(nothing, greedySampling, { ...noHistory, allowed: only() }, 0)).toThrow(
      expect.objectContaining({ code: "GPU.numeric" }),
    );
  });
});

describe("scores", () => {
  test("are the log-softmax of the raw logits", () => {
    const p = [0.5, 0.25, 0.125, 0.125];
    const score = scoreToken(logitsOf(p), 2, 2);
    expect(score.id).toBe(2);
    expect(score.logprob).toBeCloseTo(Math.log(0.125), 6);
    expect(score.top.map((t) => t.id)).toEqual([0, 1]);
    expect(score.top[0].logprob).toBeCloseTo(Math.log(0.5), 6);
    expect(scoreToken(logitsOf(p), 0, 0).top).toEqual([]);
    expect(scoreToken(logitsOf(p), 0, 20).top).toHaveLength(4);
  });
  test("sum to one over a large vocabulary with large logits", () => {
    const rng = seededRng(5);
    const logits = Float32Array.from({ length: 152_000 }, () => 300 + 4 * rng.normal());
    const all = scoreToken(logits, 0, logits.length).top;
    expect(all.reduce((total, t) => total + Math.exp(t.logprob), 0)).toBeCloseTo(1, 6);
  });
  test("a masked token has -inf and is never drawn", () => {
    const logits = Float32Array.from([-Infinity, 0, -Infinity]);
    expect(scoreToken(logits, 0, 0).logprob).toBe(-Infinity);
    for (let i = 0; i < 200; i++) expect(sampleToken(logits, params({}), noHistory, i)).toBe(1);
  });
});

test("NaN, +inf and all -inf are refused by both", () => {
  for (const bad of [
    [1, NaN, 2],
    [-Infinity, -Infinity],
    [1, Infinity],
  ]) {
    const logits = Float32Array.from(bad);
    for (const call of [
      (): unknown => sampleToken(logits, params({}), noHistory, 0),
      (): unknown => sampleToken(logits, greedySampling, noHistory, 0),
      (): unknown => scoreToken(logits, 0, 1),
    ]) {
      expect(call).toThrow(ShaderloomError);
      expect(call).toThrow(expect.objectContaining({ code: "GPU.numeric" }));
    }
  }
});
