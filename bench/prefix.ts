// Time to the first token of a prompt of which another one shares 90 %: with its pages kept, and computed anew.

import { loadSession } from "../src/engine/load.ts";
import type { Session } from "../src/engine/session.ts";
import { greedySampling } from "../src/sampling/params.ts";
import { prompt } from "./model_speed.ts";
import { randomModel } from "./random_model.ts";
import type { Ratio } from "./ratios.ts";
import { median } from "./statistics.ts";

export interface PrefixResult {
  readonly model: string;
  readonly tokens: number;
  /** Tokens of the second prompt that were taken from kept pages. */
  readonly cachedTokens: number;
  /** Milliseconds to the first token of the first prompts and of those that share most with them, by round. */
  readonly first: readonly number[];
  readonly second: readonly number[];
  readonly ratios: readonly Ratio[];
}

const shape = "small";
const format = "q4_0";
const tokens = 1024;
const shared = Math.floor(0.9 * tokens);
const rounds = 5;
/** A prefix hit takes at most a quarter of the time. */
const goal = 4;

interface FirstToken {
  readonly ms: number;
  readonly cachedTokens: number;
}

async function firstToken(session: Session, promptIds: readonly number[]): Promise<FirstToken> {
  const start = performance.now();
  let cachedTokens = 0;
  for await (const event of session.generate({ promptIds, maxTokens: 2, sampling: greedySampling, stopIds: new Set<number>() })) {
    if (event.kind === "prompt") ({ cachedTokens } = event);
    if (event.kind === "token") return { ms: performance.now() - start, cachedTokens };
  }
  throw new Error("a request gave no token");
}

export async function measurePrefix(gpu: GPU, deviceClass?: "gpu" | "cpu"): Promise<PrefixResult> {
  const session = await loadSession({ model: randomModel(shape, format), gpu, deviceClass, contextLength: 2048 });
  try {
    const { vocabSize } = session.info();
    const first: number[] = [];
    const second: number[] = [];
    let cachedTokens = 0;
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      const whole = prompt(tokens, 2 * round, vocabSize);
      const other = [...whole.slice(0, shared), ...prompt(tokens - shared, 2 * round + 1, vocabSize)];
      const one = await firstToken(session, whole);
      if (one.cachedTokens > 0) throw new Error("a new prompt met kept pages");
      const two = await firstToken(session, other);
      ({ cachedTokens } = two);
      if (round === 0) continue;
      first.push(one.ms);
      second.push(two.ms);
    }
    const ratios = first.map((ms, round) => ms / second[round]);
    const name = "prefix hit";
    const ratio = { name, ours: "90 % in kept pages", reference: "computed", ratio: Math.min(...first) / Math.min(...second), goal };
    return { model: `${shape}-${format}`, tokens, cachedTokens, first, second, ratios: [{ ...ratio, medianRatio: median(ratios) }] };
  } finally {
    session.destroy();
  }
}
