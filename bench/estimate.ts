// How far the verdict before the download is from what happens after it: estimate and run take turns, so that both see the same machine.

import { createEngine, estimate, type Estimate } from "../src/index.ts";
import { median } from "./statistics.ts";
import { modelBytes, type ModelSpec, prompt, runOnce, type SpeedOptions } from "./model_speed.ts";

/** A figure foretold and found. */
export interface Foretold {
  readonly estimated: number;
  readonly measured: number;
  /** Estimated over measured, less 1. */
  readonly error: number;
  readonly runs: ReadonlyArray<readonly [estimated: number, measured: number]>;
}

export interface EstimateError {
  readonly name: string;
  readonly types: Estimate["types"];
  readonly parameters: number;
  /** GPU bytes right after the load. */
  readonly bytes: Foretold;
  readonly prefill: Foretold;
  readonly decode: Foretold;
  /** Medians: the whole verdict, and the measurement of the adapter in it. */
  readonly estimateMs: number;
  readonly probeMs: number;
}

function foretold(runs: ReadonlyArray<readonly [estimated: number, measured: number]>): Foretold {
  const [estimated, measured] = [median(runs.map(([one]) => one)), median(runs.map(([, one]) => one))];
  return { estimated, measured, error: estimated / measured - 1, runs };
}

/** The median of `runs` verdicts against the median of as many runs, each after its verdict; one of each before them is dropped. */
export async function measureEstimate(spec: ModelSpec, options: SpeedOptions): Promise<EstimateError> {
  const { gpu, activations, deviceClass, prefillTokens, decodeTokens, runs } = options;
  const model = modelBytes(spec);
  const shared = {
    model,
    worker: false,
    ...(gpu ? { gpu } : {}),
    ...(activations ? { activations } : {}),
    ...(deviceClass ? { deviceClass } : {}),
  };
  const engine = await createEngine(shared);
  try {
    const { total } = (await engine.stats()).gpuBytes;
    const { vocabSize } = (await engine.info()).model;
    const pairs: Array<{ verdict: Estimate; ms: number; speed: { prefill: number; decode: number } }> = [];
    for (let run = 0; run <= runs; run++) {
      const start = performance.now();
      const verdict = await estimate(shared);
      const ms = performance.now() - start;
      const speed = await runOnce(engine, prompt(prefillTokens, run, vocabSize), decodeTokens);
      if (run > 0) pairs.push({ verdict, ms, speed });
    }
    const [{ verdict }] = pairs;
    return {
      name: verdict.name,
      types: verdict.types,
      parameters: verdict.parameters,
      bytes: foretold([[verdict.gpu.atLoad, total]]),
      prefill: foretold(pairs.map((one) => [one.verdict.prefillTokensPerSecond ?? 0, one.speed.prefill])),
      decode: foretold(pairs.map((one) => [one.verdict.decodeTokensPerSecond ?? 0, one.speed.decode])),
      estimateMs: median(pairs.map(({ ms }) => ms)),
      probeMs: median(pairs.map((one) => one.verdict.probe?.tookMs ?? 0)),
    };
  } finally {
    await engine.unload();
  }
}
