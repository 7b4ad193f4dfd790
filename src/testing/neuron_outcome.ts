// What it costs in bytes, and in truth, to have some bundles of neurons instead of all: against the whole model's logits, and each block's
// output against what all of its neurons make of the same input.

import { assert } from "../base/errors.ts";
import { activate } from "../kernels/references/activate.ts";
import type { NeuronLayer } from "../graph/neurons.ts";
import { argmax, divergence, relativeError, surprise } from "./logits.ts";
import { blockBytes, type NeuronRun } from "./neuron_run.ts";

export interface NeuronOutcome {
  /** Bytes read for a token over those of all bundles; what a run begins with is left out. */
  readonly share: number;
  /** Means over the tokens: of logits, Kullback-Leibler divergence in nats and relative L2 error. */
  readonly divergence: number;
  readonly error: number;
  /** Mean relative L2 error of blocks' outputs. */
  readonly blockError: number;
  /** Share of the tokens whose most likely next one is the whole model's. */
  readonly same: number;
  /** Nats of the tokens, exponentiated mean. */
  readonly perplexity: number;
  /** Shares of bundles with an active neuron, and of active neurons, of those that were there. */
  readonly activeBundles: number;
  readonly activeNeurons: number;
  /** How often a token was run. */
  readonly runs: number;
}

/** Logits of a run for each of some tokens. */
export async function logitsOf(run: NeuronRun, tokens: readonly number[]): Promise<Float32Array[]> {
  const logits: Float32Array[] = [];
  for (const [position, token] of tokens.entries()) logits.push(await run.step(token, position));
  return logits;
}

/** What a token after each of some others costs, as a perplexity. */
export function perplexityOf(logits: readonly Float32Array[], tokens: readonly number[]): number {
  const nats = logits.slice(0, -1).map((row, at) => surprise(row, tokens[at + 1]));
  return Math.exp(nats.reduce((sum, one) => sum + one, 0) / nats.length);
}

function dot(matrix: Float32Array, row: number, x: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += matrix[row * x.length + k] * x[k];
  return sum;
}

/** A block with all of its neurons, in float64. */
function wholeBlock(run: NeuronRun, file: Uint8Array<ArrayBuffer>, layer: NeuronLayer): (x: Float32Array) => Float32Array {
  const { up, down, hidden, intermediate } = layer.plan;
  const bytes = blockBytes(run.model, file, layer);
  const values = (["gate", "up", "down"] as const).map((name) => {
    const out = new Float32Array(hidden * intermediate);
    (name === "down" ? down : up).dequantize(bytes[name], out);
    return out;
  });
  return (x) => {
    const h = Float64Array.from({ length: intermediate }, (_, neuron) => {
      return activate(run.model.config.activation, dot(values[0], neuron, x)) * dot(values[1], neuron, x);
    });
    return Float32Array.from({ length: hidden }, (_, output) => dot(values[2], output, h));
  };
}

/** Tokens through a model with some of its bundles. @param want  the whole model's logits */
export async function outcomeOf(
  run: NeuronRun,
  file: Uint8Array<ArrayBuffer>,
  { tokens, want }: { readonly tokens: readonly number[]; readonly want: readonly Float32Array[] },
): Promise<NeuronOutcome> {
  const { cache, layers, recordBytes } = run;
  assert(cache, "a run over bundles");
  const bundles = layers.reduce((sum, { plan }) => sum + plan.bundles, 0);
  const blocks = layers.map((layer) => wholeBlock(run, file, layer));
  await cache.beforeToken();
  const before = cache.stats.bytes;
  const found: Float32Array[] = [];
  let blockErrors = 0;
  for (const [position, token] of tokens.entries()) {
    found.push(await run.step(token, position));
    for (const [index, { input, output }] of layers.entries()) {
      blockErrors += relativeError(blocks[index](await run.value(input)), await run.value(output));
    }
  }
  const mean = (of: (at: number) => number): number => found.reduce((sum, _, at) => sum + of(at), 0) / tokens.length;
  const { stats } = cache;
  return {
    share: (stats.bytes - before) / tokens.length / recordBytes,
    divergence: mean((at) => divergence(want[at], found[at])),
    error: mean((at) => relativeError(want[at], found[at])),
    blockError: blockErrors / tokens.length / layers.length,
    same: mean((at) => Number(argmax(want[at]) === argmax(found[at]))),
    perplexity: perplexityOf(found, tokens),
    activeBundles: stats.active / stats.tokens / bundles,
    activeNeurons: stats.activeShares / stats.tokens / bundles,
    runs: stats.tokens / tokens.length,
  };
}

/** Bundles of each layer that tokens need, by a run that has them all; and how large neurons' outputs are. */
export async function tracesOf(
  run: NeuronRun,
  tokens: readonly number[],
): Promise<{ readonly traces: readonly number[][][]; readonly sizes: Float32Array }> {
  const traces = run.layers.map((): number[][] => []);
  const sizes: number[] = [];
  for (const [position, token] of tokens.entries()) {
    await run.step(token, position);
    for (const [index, { active, neurons, plan }] of run.layers.entries()) {
      const words = plan.neurons / 32;
      const bits = new Uint32Array((await run.value(active)).buffer);
      const here = Array.from({ length: plan.bundles }, (_, bundle) => bundle);
      traces[index].push(here.filter((bundle) => bits.subarray(bundle * words, (bundle + 1) * words).some((word) => word !== 0)));
      if (position % 4 === 0) for (const value of await run.value(neurons)) sizes.push(Math.abs(value));
    }
  }
  return { traces, sizes: Float32Array.from(sizes).toSorted() };
}
