// The decode loop against loops that other runtimes have, in the same page on the same model: what encoding a step takes in JavaScript,
// and what waiting for each token costs when results come late.

import { createEngine, type Engine } from "../src/index.ts";
import { delayGpu } from "../src/testing/delayed_gpu.ts";
import { tinyModel } from "../src/testing/tiny_model.ts";
import { prompt } from "./model_speed.ts";
import { eagerGpu } from "./reference/eager_gpu.ts";
import type { Ratio } from "./ratios.ts";
import { median } from "./statistics.ts";

/** Milliseconds, or tokens per second, of each turn. */
export interface LoopResult {
  readonly ratios: readonly Ratio[];
  readonly runs: Readonly<Record<string, readonly number[]>>;
}

/** How late results come where a browser looks for them on a timer, as Firefox does. */
const lateMs = 100;
const rounds = 5;
const tokens = 64;

async function decodeRate(engine: Engine, run: number, count = tokens): Promise<number> {
  const { vocabSize } = (await engine.info()).model;
  const request = { prompt: prompt(8, run, vocabSize), max_tokens: count + 1, temperature: 0, ignore_eos: true };
  const { usage } = await engine.completions.create(request);
  if (!usage) throw new Error("a completion without usage");
  return (count * 1000) / (usage.total_ms - usage.time_to_first_token_ms);
}

type Runs = readonly [readonly number[], readonly number[]];

function ratioOf(name: string, goal: number | undefined, [ours, reference]: Runs, names: readonly [string, string]): Ratio {
  const ratio = median(ours) / median(reference);
  const medianRatio = median(ours.map((one, index) => one / reference[index]));
  return { name, ours: names[0], reference: names[1], ratio, medianRatio, ...(goal === undefined ? {} : { goal }) };
}

async function aloneMs(engine: Engine): Promise<number> {
  const { steps } = await engine.profile({ tokens: 8, promptTokens: 1 });
  return steps.find(({ phase }) => phase === "decode")?.encodeMs ?? NaN;
}

async function inLoopMs(engine: Engine, round: number): Promise<number> {
  const before = await engine.stats();
  await decodeRate(engine, round);
  const after = await engine.stats();
  return (after.encodeMs * after.decodeSteps - before.encodeMs * before.decodeSteps) / (after.decodeSteps - before.decodeSteps);
}

/**
 * JavaScript time of a decode step of 32 layers, as many as 8B models have, with little in each: a list replayed, and a bind group, a write and
 * a pass for each of its dispatches. By itself, and in a loop whose GPU is these cores: what wakes up there finds its caches taken.
 */
async function measureEncode(gpu: GPU): Promise<Record<"alone" | "inLoop", { ours: number[]; reference: number[] }>> {
  const model = tinyModel({ layers: 32, contextLength: 1024 });
  const options = { model, worker: false, deviceClass: "gpu", tuning: "off" } as const;
  const [ours, reference] = [await createEngine({ ...options, gpu }), await createEngine({ ...options, gpu: eagerGpu(gpu) })];
  const alone = { ours: [] as number[], reference: [] as number[] };
  const inLoop = { ours: [] as number[], reference: [] as number[] };
  try {
    for (let round = 0; round <= rounds; round++) {
      for (const [name, engine] of [
        ["ours", ours],
        ["reference", reference],
      ] as const) {
        const [one, other] = [await aloneMs(engine), await inLoopMs(engine, round)];
        // The first round compiles.
        if (round === 0) continue;
        alone[name].push(one);
        inLoop[name].push(other);
      }
    }
    return { alone, inLoop };
  } finally {
    await ours.unload();
    await reference.unload();
  }
}

/** Tokens per second with tokens in flight and one by one, in turns, on a GPU whose results come `delayMs` late. */
async function measureFlight(gpu: GPU, delayMs: number): Promise<{ ours: number[]; reference: number[] }> {
  const open = (tokensInFlight?: number): Promise<Engine> =>
    createEngine({
      model: tinyModel({ layers: 2, contextLength: 1024 }),
      worker: false,
      gpu: delayMs > 0 ? delayGpu(gpu, delayMs) : gpu,
      tuning: "off",
      ...(tokensInFlight === undefined ? {} : { execution: { tokensInFlight } }),
    });
  const [flying, waiting] = [await open(), await open(1)];
  const found = { ours: [] as number[], reference: [] as number[] };
  try {
    for (let round = 0; round <= rounds; round++) {
      const ours = await decodeRate(flying, round, delayMs > 0 ? 4 * tokens : tokens);
      const reference = await decodeRate(waiting, round, delayMs > 0 ? tokens / 4 : tokens);
      if (round === 0) continue;
      found.ours.push(ours);
      found.reference.push(reference);
    }
    return found;
  } finally {
    await flying.unload();
    await waiting.unload();
  }
}

export async function measureLoop(gpu: GPU): Promise<LoopResult> {
  const { alone, inLoop } = await measureEncode(gpu);
  const late = await measureFlight(gpu, lateMs);
  const atOnce = await measureFlight(gpu, 0);
  const encoders = ["a list, replayed", "a bind group, a write and a pass for each dispatch"] as const;
  const flights = ["tokens in flight", "each token awaited"] as const;
  return {
    ratios: [
      ratioOf("encode", 20, [alone.reference, alone.ours], encoders),
      ratioOf("encode, in a loop", undefined, [inLoop.reference, inLoop.ours], encoders),
      ratioOf(`results ${lateMs} ms late`, 8, [late.ours, late.reference], flights),
      ratioOf("results at once", 0.95, [atOnce.ours, atOnce.reference], flights),
    ],
    runs: {
      "encode, ms": alone.ours,
      "encode, reference, ms": alone.reference,
      "encode, in a loop, ms": inLoop.ours,
      "encode, in a loop, reference, ms": inLoop.reference,
      "late, tokens/s": late.ours,
      "late, awaited, tokens/s": late.reference,
      "at once, tokens/s": atOnce.ours,
      "at once, awaited, tokens/s": atOnce.reference,
    },
  };
}
