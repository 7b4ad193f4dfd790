// Tokens per second of one model through the package's public door, and what that means in bytes.

import { createEngine, type Engine } from "../src/index.ts";
import { seededRng } from "../src/base/rng.ts";
import { median } from "./statistics.ts";
import { randomModel } from "./random_model.ts";

/** A model to measure: seeded weights made here, or a file's bytes. */
export type ModelSpec =
  | { readonly kind: "random"; readonly shape: string; readonly format: string }
  | { readonly kind: "file"; readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> };

export interface SpeedOptions {
  readonly prefillTokens: number;
  readonly decodeTokens: number;
  /** Counted runs; one more runs before them. */
  readonly runs: number;
  readonly activations?: "f32" | "f16" | "int8" | undefined;
  readonly deviceClass?: "gpu" | "cpu" | undefined;
  /** Node's; a page has its own. */
  readonly gpu?: GPU | undefined;
}

export interface Rate {
  readonly tokens: number;
  /** Median. */
  readonly tokensPerSecond: number;
  readonly runs: readonly number[];
}

export interface ModelSpeed {
  readonly name: string;
  readonly architecture: string;
  readonly types: Readonly<Record<string, number>>;
  readonly parameters: number;
  readonly activations: string;
  readonly loadMs: number;
  /** The whole prompt in one request, until its first token is known. */
  readonly prefill: Rate;
  readonly decode: Rate;
  /** JavaScript time to encode and submit a decode step, milliseconds. */
  readonly encodeMs: number;
  readonly dispatches: { readonly decode: number; readonly prefill: number };
  readonly weightBytes: number;
  /** Keys and values read by the middle decode step. */
  readonly kvBytes: number;
  /** (weightBytes + kvBytes) times decode tokens per second, in GB/s. */
  readonly gigabytesPerSecond: number;
}

/** Positions of a KV page. */
const pageTokens = 32;

/** The model as a GGUF file. */
export function modelBytes(spec: ModelSpec): Uint8Array<ArrayBuffer> {
  return spec.kind === "file" ? spec.bytes : randomModel(spec.shape, spec.format);
}

/** Another prompt each time, its first token too, so that no cached prefix is reused. */
export function prompt(tokens: number, run: number, vocabSize: number): number[] {
  const rng = seededRng(1000 + run);
  return Array.from({ length: tokens }, (_, index) => (index === 0 ? 97 + run : rng.below(Math.min(vocabSize, 256))));
}

/** Tokens per second of one request. */
export async function runOnce(engine: Engine, ids: readonly number[], decodeTokens: number): Promise<{ prefill: number; decode: number }> {
  const { usage } = await engine.completions.create({ prompt: ids, max_tokens: decodeTokens + 1, temperature: 0, ignore_eos: true });
  if (!usage) throw new Error("a completion without usage");
  if (usage.prompt_tokens_details.cached_tokens > 0) throw new Error("the cache answered part of the prompt");
  if (usage.completion_tokens !== decodeTokens + 1) throw new Error(`${usage.completion_tokens} tokens instead of ${decodeTokens + 1}`);
  const decodeMs = usage.total_ms - usage.time_to_first_token_ms;
  return { prefill: (ids.length * 1000) / usage.time_to_first_token_ms, decode: (decodeTokens * 1000) / decodeMs };
}

function rateOf(tokens: number, runs: readonly number[]): Rate {
  return { tokens, tokensPerSecond: median(runs), runs };
}

async function summarize(
  engine: Engine,
  options: SpeedOptions,
  runs: ReadonlyArray<{ prefill: number; decode: number }>,
): Promise<ModelSpeed> {
  const [info, stats] = [await engine.info(), await engine.stats()];
  const { prefillTokens, decodeTokens } = options;
  const prefill = rateOf(
    prefillTokens,
    runs.map((run) => run.prefill),
  );
  const decode = rateOf(
    decodeTokens,
    runs.map((run) => run.decode),
  );
  const kvBytesPerToken = stats.gpuBytes.kv / stats.kvPages.capacity / pageTokens;
  const kvBytes = Math.round(kvBytesPerToken * (prefillTokens + decodeTokens / 2));
  const { name, architecture, types, parameters, weightBytes } = info.model;
  return {
    name,
    architecture,
    types,
    parameters,
    activations: info.activations,
    loadMs: stats.loadMs,
    prefill,
    decode,
    encodeMs: stats.encodeMs,
    dispatches: stats.dispatches,
    weightBytes,
    kvBytes,
    gigabytesPerSecond: ((weightBytes + kvBytes) * decode.tokensPerSecond) / 1e9,
  };
}

/** Loads the model in this thread, runs it `runs + 1` times and unloads it. */
export async function measureModel(spec: ModelSpec, options: SpeedOptions): Promise<ModelSpeed> {
  const { gpu, activations, deviceClass, prefillTokens, decodeTokens } = options;
  const engine = await createEngine({
    model: modelBytes(spec),
    worker: false,
    ...(gpu ? { gpu } : {}),
    ...(activations ? { activations } : {}),
    ...(deviceClass ? { deviceClass } : {}),
  });
  try {
    const { vocabSize } = (await engine.info()).model;
    const runs = [];
    for (let run = 0; run <= options.runs; run++) {
      const result = await runOnce(engine, prompt(prefillTokens, run, vocabSize), decodeTokens);
      if (run > 0) runs.push(result);
    }
    return await summarize(engine, options, runs);
  } finally {
    await engine.unload();
  }
}
