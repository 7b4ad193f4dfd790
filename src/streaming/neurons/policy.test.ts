// The window against Belady's optimum on seeded traces of stated locality; Belady's rule against all choices there are on small ones.

import { describe, expect, test } from "vitest";
import { seededRng } from "../../base/rng.ts";
import { localityOf, topicTrace, type TraceOptions } from "../../testing/activation_trace.ts";
import { beladyHits, policyHits, type Trace } from "./belady.ts";
import { ScorePredictor } from "./predictor.ts";
import { BundleWindow } from "./window.ts";

const halfLife = 2;

const topics: Omit<TraceOptions, "seed" | "likely" | "unlikely"> = {
  bundles: 256,
  tokens: 400,
  topics: 6,
  stay: 0.98,
  shared: 16,
  own: 32,
};

/** The most hits by trying every set that could stay. */
function mostHits(trace: Trace, capacity: number, token = 0, here: readonly number[] = []): number {
  if (token === trace.length) return 0;
  const active = trace[token];
  const all = [...new Set([...here, ...active])];
  const choices = Array.from({ length: 1 << all.length }, (_, mask) => all.filter((_bundle, place) => (mask >> place) & 1));
  const rest = choices.filter(({ length }) => length <= capacity).map((kept) => mostHits(trace, capacity, token + 1, kept));
  return active.filter((bundle) => here.includes(bundle)).length + Math.max(...rest);
}

test("Belady's rule has as many hits as the best of all choices", () => {
  const rng = seededRng(3);
  for (let round = 0; round < 20; round++) {
    const trace = Array.from({ length: 5 }, () => [0, 1, 2, 3].filter(() => rng.unit() < 0.5));
    for (const capacity of [0, 1, 2, 3]) expect(beladyHits(trace, capacity), JSON.stringify(trace)).toBe(mostHits(trace, capacity));
  }
});

describe("hits of the window over Belady's", () => {
  // Bundles of a topic that are active: 95, 80, 60 %; of others 0.5 to 1 %. Room for 1 topic (48 bundles), 4/3 of one, two.
  const traces = [
    { likely: 0.95, unlikely: 0.005, repeated: 0.92 },
    { likely: 0.8, unlikely: 0.01, repeated: 0.75 },
    { likely: 0.6, unlikely: 0.01, repeated: 0.56 },
  ];
  for (const { likely, unlikely, repeated } of traces) {
    for (const seed of [1, 5, 9]) {
      const trace = topicTrace({ ...topics, likely, unlikely, seed });
      test.each([48, 64, 96])(
        `${repeated} of the active bundles were so at the token before, seed ${seed}, room for %i of 256`,
        (capacity) => {
          expect(Math.abs(localityOf(trace, topics.bundles).repeated - repeated)).toBeLessThan(0.02);
          const { hits } = policyHits(trace, new BundleWindow({ capacity, halfLife }));
          expect(hits / beladyHits(trace, capacity)).toBeGreaterThanOrEqual(0.9);
        },
      );
    }
  }
});

describe("the window", () => {
  test("never holds more than it has room for, brings what is new and says what goes", () => {
    const window = new BundleWindow({ capacity: 3, halfLife });
    expect(window.advance([1, 2])).toEqual({ load: [1, 2], evict: [] });
    expect(window.advance([2, 3, 4])).toEqual({ load: [3, 4], evict: [1] });
    expect([...window.resident].toSorted((a, b) => a - b)).toEqual([2, 3, 4]);
    expect(window.advance([])).toEqual({ load: [], evict: [] });
  });

  test("does not bring what would not stay", () => {
    const window = new BundleWindow({ capacity: 1, halfLife: 100 });
    for (let token = 0; token < 5; token++) window.advance([7]);
    expect(window.advance([8])).toEqual({ load: [], evict: [] });
    expect(new BundleWindow({ capacity: 0, halfLife }).advance([1])).toEqual({ load: [], evict: [] });
  });

  test("counts a bundle by the share of its neurons that a token needed", () => {
    const window = new BundleWindow({ capacity: 2, halfLife });
    const needed = new Map([
      [1, 1],
      [6, 0.2],
      [5, 0.9],
    ]);
    expect(window.advance(needed).load).toEqual([1, 5]);
    expect(window.advance(new Map([[6, 0.3]]))).toEqual({ load: [], evict: [] });
  });
});

describe("scores", () => {
  test("are worth what the bundles here show: a bias of the coarse copy is learnt", () => {
    const predictor = new ScorePredictor();
    const rng = seededRng(11);
    const here = Array.from({ length: 32 }, (_, bundle) => bundle);
    // A quarter of the neurons above 1, none below.
    for (let token = 0; token < 200; token++) {
      const scores = Float32Array.from({ length: 64 }, () => rng.normal() * 2);
      predictor.learn(scores, new Map(here.map((bundle) => [bundle, scores[bundle] > 1 ? 0.25 : 0])));
    }
    const scores = Float32Array.from({ length: 64 }, (_, bundle) => (bundle - 32) / 8);
    const missing = predictor.missing(scores, new Map(here.map((bundle) => [bundle, 0])), 0.1);
    expect([...missing.keys()].every((bundle) => scores[bundle] > 0.5)).toBe(true);
    expect(missing.get(63)).toBeCloseTo(0.25, 1);
  });

  test("before anything was learnt, a positive score is half a yes", () => {
    const missing = new ScorePredictor().missing(Float32Array.from([-1, 1, 0, Number.NaN]), new Map());
    expect([...missing]).toEqual([[1, 0.5]]);
  });
});
