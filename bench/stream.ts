// A model of twice the memory budget, its layers read from a store of a stated rate for every token: against what the rate and the computing
// allow, and against reloading layer by layer.

import { loadSession, type LoadSessionOptions } from "../src/engine/load.ts";
import type { Session } from "../src/engine/session.ts";
import { greedySampling } from "../src/sampling/params.ts";
import type { StreamingStats } from "../src/streaming/types.ts";
import { openThrottledStore } from "../src/testing/throttled_store.ts";
import { prompt } from "./model_speed.ts";
import { randomModel } from "./random_model.ts";
import type { Ratio } from "./ratios.ts";
import { type NaiveReload, openNaiveReload } from "./reference/naive_reload.ts";
import { median } from "./statistics.ts";

export interface StreamOptions {
  /** Shape and format of a random model. */
  readonly shape: string;
  readonly format: string;
  /**
   * Bytes per second of the store; `balanced`: what is missing takes as long to read as a token to compute; `free`: as fast as it is.
   */
  readonly rate: number | "balanced" | "free";
  readonly gpu: GPU;
  readonly deviceClass?: "gpu" | "cpu" | undefined;
  readonly activations?: "f32" | "f16" | "int8" | undefined;
  readonly say?: (line: string) => void;
}

/** Milliseconds of a token: the fastest round, since whatever else runs only adds, and all. */
export interface TokenTime {
  readonly ms: number;
  readonly runs: readonly number[];
}

export interface StreamResult {
  readonly model: string;
  readonly layers: number;
  readonly weightBytes: number;
  readonly budget: number;
  readonly peakBytes: number;
  readonly naivePeakBytes: number;
  readonly knobs: Pick<StreamingStats, "resident" | "streamed" | "frames" | "prefetch" | "stagingBytes">;
  /** As `stats()` has it. */
  readonly foretoldMs: number;
  readonly stallMs: number;
  /** Bytes per second, of the throttle or, where there is none, of reading alone. */
  readonly rate: number;
  readonly throttled: boolean;
  /** All of the model on the GPU. */
  readonly compute: TokenTime;
  readonly missingBytes: number;
  /** The larger of computing and reading what is missing. */
  readonly boundMs: number;
  readonly token: TokenTime;
  readonly naive: TokenTime;
  /** Computing and reading all layers one after the other. */
  readonly naiveBoundMs: number;
  /** Of 256 tokens: bytes that were read, and in chunks of the model's rows how often each streamed byte. */
  readonly prefill: {
    readonly tokens: number;
    readonly bytes: number;
    readonly passes: number;
    readonly ms: number;
    readonly wholeMs: number;
  };
  readonly ratios: readonly Ratio[];
}

/** Of all three: keys and values of the whole context are in the budget. */
const contextLength = 288;
const promptTokens = 4;
const tokens = 16;
const naiveTokens = 3;
const rounds = 3;
const prefillTokens = 256;
/** The share of a bound that is promised. */
const goal = 0.7;
/** What the bound over reloading has to be for that to say something: with reading and computing in balance. */
const leastBound = 2.5;

interface Answer {
  readonly ids: readonly number[];
  /** Of each token after the first. */
  readonly ms: number;
  readonly firstMs: number;
}

async function answer(session: Session, promptIds: readonly number[], count: number): Promise<Answer> {
  const ids: number[] = [];
  const start = performance.now();
  let first = start;
  let last = start;
  for await (const event of session.generate({ promptIds, maxTokens: count, sampling: greedySampling, stopIds: new Set<number>() })) {
    if (event.kind !== "token") continue;
    last = performance.now();
    if (ids.push(event.id) === 1) first = last;
  }
  return { ids, ms: (last - first) / (count - 1), firstMs: first - start };
}

/** The same prompt token by token, then the answer: each a whole reload. */
async function naiveAnswer(naive: NaiveReload, promptIds: readonly number[], count: number): Promise<Answer> {
  const ids: number[] = [];
  const start = performance.now();
  let next = 0;
  for (let position = 0; position < promptIds.length + count - 1; position++) {
    next = await naive.step(promptIds[position] ?? next, position);
    if (position >= promptIds.length - 1) ids.push(next);
  }
  const elapsed = performance.now() - start;
  return { ids, ms: elapsed / (promptIds.length + count - 1), firstMs: elapsed };
}

function streamingOf(session: Session): StreamingStats {
  const { streaming } = session.stats();
  if (!streaming) throw new Error("the model was not streamed");
  return streaming;
}

function timeOf(runs: readonly number[]): TokenTime {
  return { ms: Math.min(...runs), runs };
}

/** Before the turns, because the rate rests on it. */
async function fastestToken(session: Session): Promise<number> {
  let best = Infinity;
  for (let round = 0; round < rounds; round++) {
    const { ms } = await answer(session, prompt(promptTokens, rounds + 1 + round, session.info().vocabSize), tokens);
    best = Math.min(best, ms);
  }
  return best;
}

/** The sessions that take turns. */
interface Rivals {
  readonly whole: Session;
  readonly streamed: Session;
  readonly naive: NaiveReload;
}

interface Runs {
  readonly whole: number[];
  readonly streamed: number[];
  readonly naive: number[];
}

/** Each says the same; what it took. */
async function takeTurns({ whole, streamed, naive }: Rivals, { shape }: StreamOptions, say: (line: string) => void): Promise<Runs> {
  const runs: Runs = { whole: [], streamed: [], naive: [] };
  for (let round = 0; round < rounds; round++) {
    say(`stream: round ${round + 1} of ${rounds}`);
    const ids = prompt(promptTokens, round, whole.info().vocabSize);
    const expected = await answer(whole, ids, tokens);
    const found = await answer(streamed, ids, tokens);
    const plain = await naiveAnswer(naive, ids, naiveTokens);
    runs.whole.push(expected.ms);
    runs.streamed.push(found.ms);
    runs.naive.push(plain.ms);
    // A wrong text is no speed.
    if (found.ids.join() !== expected.ids.join()) throw new Error(`${shape} streamed says ${found.ids.join()}, not ${expected.ids.join()}`);
    if (plain.ids.join() !== expected.ids.slice(0, naiveTokens).join()) throw new Error(`${shape} reloaded says ${plain.ids.join()}`);
  }
  return runs;
}

/** What the streamed model's store reads in a second by itself: some of the chunks of the naive one's, which has no throttle then. */
async function freeRate(naive: NaiveReload): Promise<number> {
  const start = performance.now();
  const bytes = await naive.readOnly();
  return (bytes * 1000) / (performance.now() - start);
}

async function prefillOnce({ whole, streamed }: Rivals): Promise<StreamResult["prefill"]> {
  const ids = prompt(prefillTokens, rounds, whole.info().vocabSize);
  const { firstMs: wholeMs, ids: expected } = await answer(whole, ids, 1);
  const before = streamingOf(streamed).bytes;
  const { firstMs: ms, ids: found } = await answer(streamed, ids, 1);
  if (found.join() !== expected.join()) throw new Error("the streamed model goes on otherwise after a long prompt");
  const { bytes: after, bytesPerStep } = streamingOf(streamed);
  return { tokens: prefillTokens, bytes: after - before, passes: (after - before) / bytesPerStep, ms, wholeMs };
}

/** Loads three times, in turns, and compares. */
export async function measureStream(options: StreamOptions): Promise<StreamResult> {
  const { shape, format, rate, gpu, deviceClass, activations, say = (): void => undefined } = options;
  const model = randomModel(shape, format);
  // The naive one runs the default variants, so all do.
  const shared = { gpu, deviceClass, activations, contextLength, tuning: "off" } as const satisfies Partial<LoadSessionOptions>;
  const opened: Array<{ destroy(): void }> = [];
  const keep = <T extends { destroy(): void }>(one: T): T => {
    opened.push(one);
    return one;
  };
  try {
    say("stream: all of it on the GPU");
    const whole = keep(await loadSession({ ...shared, model }));
    const weightBytes = whole.stats().gpuBytes.weights;
    const budget = Math.floor(weightBytes / 2);
    const firstMs = await fastestToken(whole);
    const shelf = openThrottledStore();
    say("stream: reloading");
    const naive = keep(await openNaiveReload(gpu, model, shared));
    const free = await freeRate(naive);
    // Knobs are chosen by the rate that is found at the load: about what it will be.
    const near = rate === "balanced" ? (0.62 * naive.bytesPerStep * 1000) / firstMs : rate;
    const disks = [shelf.disk, naive.disk];
    for (const disk of disks) disk.bytesPerSecond = near === "free" ? undefined : near;
    say("stream: streamed");
    const streamed = keep(await loadSession({ ...shared, model, memoryBudget: budget, imageStore: shelf.store }));
    const missingBytes = streamingOf(streamed).bytesPerStep;
    const bytesPerSecond = rate === "balanced" ? (missingBytes * 1000) / firstMs : rate === "free" ? free : rate;
    if (rate === "balanced") for (const disk of disks) disk.bytesPerSecond = bytesPerSecond;
    const rivals: Rivals = { whole, streamed, naive };
    const runs = await takeTurns(rivals, options, say);
    const prefill = await prefillOnce(rivals);
    const how = { rate: bytesPerSecond, throttled: rate !== "free", balanced: rate === "balanced" };
    const facts = { model: `${shape}-${format}`, budget, ...how, missingBytes, prefill };
    return describe(rivals, runs, facts);
  } finally {
    for (const one of opened) one.destroy();
  }
}

type Facts = Pick<StreamResult, "model" | "budget" | "rate" | "throttled" | "missingBytes" | "prefill"> & { readonly balanced: boolean };

function describe({ whole, streamed, naive }: Rivals, runs: Runs, { balanced, ...facts }: Facts): StreamResult {
  const { rate, missingBytes } = facts;
  const { resident, streamed: layers, frames, prefetch, stagingBytes, foretold, stallMsPerToken } = streamingOf(streamed);
  const [compute, token, reload] = [timeOf(runs.whole), timeOf(runs.streamed), timeOf(runs.naive)];
  const boundOf = (computeMs: number): number => Math.max(computeMs, (missingBytes * 1000) / rate);
  const naiveBoundOf = (computeMs: number): number => computeMs + (naive.bytesPerStep * 1000) / rate;
  const mostOf = (computeMs: number): number => naiveBoundOf(computeMs) / boundOf(computeMs);
  const [boundMs, naiveBoundMs, most] = [boundOf(compute.ms), naiveBoundOf(compute.ms), mostOf(compute.ms)];
  /** Of the ratios within each round. */
  const medianOf = (ratio: (round: number) => number): number => median(runs.whole.map((_, round) => ratio(round)));
  return {
    ...facts,
    layers: resident + layers,
    weightBytes: whole.stats().gpuBytes.weights,
    peakBytes: streamed.stats().gpuBytes.peak,
    naivePeakBytes: naive.peakBytes,
    knobs: { resident, streamed: layers, frames, prefetch, stagingBytes },
    foretoldMs: foretold.tokenMs,
    stallMs: stallMsPerToken,
    compute,
    boundMs,
    token,
    naive: reload,
    naiveBoundMs,
    ratios: [
      {
        name: "bound over reloading",
        ours: `${boundMs.toFixed(1)} ms a token at least`,
        reference: `${naiveBoundMs.toFixed(1)} ms of reloading at least`,
        ratio: most,
        medianRatio: medianOf((round) => mostOf(runs.whole[round])),
        ...(balanced && { goal: leastBound }),
      },
      {
        name: "of the bound",
        ours: `${token.ms.toFixed(1)} ms a token`,
        reference: `${boundMs.toFixed(1)} ms, the larger of computing and reading`,
        ratio: boundMs / token.ms,
        medianRatio: medianOf((round) => boundOf(runs.whole[round]) / runs.streamed[round]),
        goal,
      },
      {
        name: "of the bound over reloading",
        ours: `${(reload.ms / token.ms).toFixed(2)} times as fast`,
        reference: `${most.toFixed(2)} at most`,
        ratio: reload.ms / token.ms / most,
        medianRatio: medianOf((round) => runs.naive[round] / runs.streamed[round] / mostOf(runs.whole[round])),
        goal,
      },
    ],
  };
}
