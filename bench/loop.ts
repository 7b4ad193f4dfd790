// The decode loop against loops that other runtimes have, in the same page on the same model: what encoding a step takes in JavaScript,
// and what waiting for each token costs when results come late.

import { createEngine, type Engine } from "../src/index.ts";
import { delayGpu } from "../src/testing/delayed_gpu.ts";
import { tinyModel } from "../src/testing/tiny_model.ts";
import { prompt } from "./model_speed.ts";
import { randomModel } from "./random_model.ts";
import { createEagerLoop } from "./reference/eager_loop.ts";
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

function ratioOf(name: string, goal: number, [ours, reference]: readonly (readonly number[])[], names: readonly [string, string]): Ratio {
  const ratio = median(ours) / median(reference);
  const medianRatio = median(ours.map((one, index) => one / reference[index]));
  return { name, ours: names[0], reference: names[1], ratio, medianRatio, goal };
}

/** JavaScript time of a step: ours, and a loop that makes a bind group, a write and a pass for each of as many dispatches. */
async function measureEncode(gpu: GPU, device: GPUDevice): Promise<{ ours: number[]; reference: number[] }> {
  const engine = await createEngine({ model: randomModel("small", "q4_0"), worker: false, gpu, tuning: "off" });
  const eager = createEagerLoop(device);
  const found = { ours: [] as number[], reference: [] as number[] };
  try {
    const { dispatches } = await engine.stats();
    for (let round = 0; round <= rounds; round++) {
      const before = await engine.stats();
      await decodeRate(engine, round);
      const after = await engine.stats();
      const ours = (after.encodeMs * after.decodeSteps - before.encodeMs * before.decodeSteps) / (after.decodeSteps - before.decodeSteps);
      let sum = 0;
      for (let step = 0; step < tokens; step++) {
        sum += eager.step(dispatches.decode);
        await device.queue.onSubmittedWorkDone();
      }
      // The first round compiles.
      if (round === 0) continue;
      found.ours.push(ours);
      found.reference.push(sum / tokens);
    }
    return found;
  } finally {
    eager.destroy();
    await engine.unload();
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

export async function measureLoop(gpu: GPU, device: GPUDevice): Promise<LoopResult> {
  const encode = await measureEncode(gpu, device);
  const late = await measureFlight(gpu, lateMs);
  const atOnce = await measureFlight(gpu, 0);
  return {
    ratios: [
      ratioOf(
        "encode",
        20,
        [encode.reference, encode.ours],
        ["a flat list, replayed", "a bind group, a write and a pass for each dispatch"],
      ),
      ratioOf(`results ${lateMs} ms late`, 8, [late.ours, late.reference], ["tokens in flight", "each token awaited"]),
      ratioOf("results at once", 0.95, [atOnce.ours, atOnce.reference], ["tokens in flight", "each token awaited"]),
    ],
    runs: {
      "encode, ms": encode.ours,
      "encode, reference, ms": encode.reference,
      "late, tokens/s": late.ours,
      "late, awaited, tokens/s": late.reference,
      "at once, tokens/s": atOnce.ours,
      "at once, awaited, tokens/s": atOnce.reference,
    },
  };
}
