// The gaps between the tokens of one long answer: their spread, and whether any length of the context costs a step.

import { loadSession } from "../src/engine/load.ts";
import { greedySampling } from "../src/sampling/params.ts";
import { prompt } from "./model_speed.ts";
import { randomModel } from "./random_model.ts";
import { median } from "./statistics.ts";

export interface SteadyResult {
  readonly model: string;
  readonly tokens: number;
  /** Milliseconds from a token to the next. */
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
  /** p99 over p50. */
  readonly ratio: number;
  /** Mean and median gap of each hundred tokens. */
  readonly hundreds: ReadonlyArray<{ readonly from: number; readonly mean: number; readonly median: number }>;
  /** Gaps around the positions at which the KV pools were replaced, the longest within 40 tokens of each. */
  readonly growths: ReadonlyArray<{ readonly position: number; readonly longest: number }>;
  readonly tokensInFlight: number;
}

const shape = "small";
const format = "q4_0";
const tokens = 1100;
const promptTokens = 8;
/** Positions at which pools of 512 tokens have doubled. */
const growthPositions = [512, 1024];

/** A session that answers once before, so that everything is warm but the pages. */
export async function measureSteady(gpu: GPU, deviceClass?: "gpu" | "cpu"): Promise<SteadyResult> {
  const session = await loadSession({ model: randomModel(shape, format), gpu, deviceClass });
  try {
    const { vocabSize } = session.info();
    const gapsOf = async (run: number, maxTokens: number): Promise<number[]> => {
      const request = { promptIds: prompt(promptTokens, run, vocabSize), maxTokens, sampling: greedySampling, stopIds: new Set<number>() };
      const gaps: number[] = [];
      let last: number | undefined;
      for await (const event of session.generate(request)) {
        if (event.kind !== "token") continue;
        const now = performance.now();
        if (last !== undefined) gaps.push(now - last);
        last = now;
      }
      return gaps;
    };
    await gapsOf(1, 64);
    const gaps = await gapsOf(2, tokens);
    const sorted = gaps.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))];
    const hundreds = Array.from({ length: Math.floor(gaps.length / 100) }, (_, index) => {
      const some = gaps.slice(100 * index, 100 * (index + 1));
      return { from: 100 * index, mean: some.reduce((sum, gap) => sum + gap, 0) / some.length, median: median(some) };
    });
    const growths = growthPositions.map((position) => {
      const middle = position - promptTokens;
      return { position, longest: Math.max(...gaps.slice(Math.max(0, middle - 40), middle + 40)) };
    });
    const { tokensInFlight } = session.stats();
    const [p50, p99, longest] = [at(0.5), at(0.99), at(1)];
    return { model: `${shape}-${format}`, tokens, p50, p99, longest, ratio: p99 / p50, hundreds, growths, tokensInFlight };
  } finally {
    session.destroy();
  }
}
