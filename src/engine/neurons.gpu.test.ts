// Feed-forward blocks over bundles of neurons: with all of them the whole blocks' logits and text, with some of them how far off and for how
// many bytes, on a seeded model of stated locality.

import { describe, expect, onTestFinished, test } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { argmax, relativeError } from "../testing/logits.ts";
import { logitsOf, outcomeOf, tracesOf } from "../testing/neuron_outcome.ts";
import { type NeuronRun, type NeuronRunOptions, openNeuronRun } from "../testing/neuron_run.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { topicModel, topicTokens } from "../testing/topic_model.ts";
import { windowShares } from "../testing/window_shares.ts";
import { errorCode } from "../testing/typed_error.ts";

async function opened(gpu: GPU, file: Uint8Array<ArrayBuffer>, options: NeuronRunOptions): Promise<NeuronRun> {
  const run = await openNeuronRun(gpu, file, options);
  onTestFinished(() => run.close());
  return run;
}

/** Greedy text after a prompt. */
async function textOf(run: NeuronRun, prompt: readonly number[], count: number): Promise<number[]> {
  const text: number[] = [];
  let logits = new Float32Array(1);
  for (const [position, token] of prompt.entries()) logits = new Float32Array(await run.step(token, position));
  while (text.length < count) {
    text.push(argmax(logits));
    logits = new Float32Array(await run.step(text[text.length - 1], prompt.length + text.length - 1));
  }
  return text;
}

const prompt = [84, 104, 101, 32, 99, 97, 116];
const relu = [["llama.hidden_activation", "string", "relu"]] as const;

/** Program, weights, activations, neurons. */
const shapes = [
  ["cpu", "f32", "f32", 172],
  ["cpu", "q8_0", "f16", 160],
  ["gpu", "q4_0", "f32", 96],
  ["gpu", "f16", "f16", 96],
] as const;

describe("with every bundle on the GPU", () => {
  test.for(shapes)("%s program, %s weights, %s activations, %i neurons: whole blocks' logits and text", async (shape, context) => {
    const [deviceClass, format, activations, ffn] = shape;
    const gpu = await sharedGpuOrSkip(context);
    if (activations === "f16" && !(await gpu.requestAdapter())?.features.has("shader-f16")) context.skip("no shader-f16");
    const file = tinyModel({ format, ffn, hidden: 64, metadata: relu });
    const how = { deviceClass, activations };
    const whole = await opened(gpu, file, how);
    const bundled = await opened(gpu, file, { ...how, neurons: { slots: 99, shadow: false, halfLife: 2 } });
    const [want, found] = [await logitsOf(whole, prompt), await logitsOf(bundled, prompt)];
    const bound = activations === "f16" ? 0.01 : 1e-5;
    for (const [at, logits] of want.entries()) expect(relativeError(logits, found[at])).toBeLessThan(bound);
    expect(await textOf(bundled, prompt, 16)).toEqual(await textOf(whole, prompt, 16));
    expect(bundled.cache?.stats.bytes).toBe(bundled.recordBytes);
  });
});

const topics = { topics: 8, stay: 0.95, seed: 4 };
const topicShape = { format: "f16", layers: 4, bundles: 64, topics: 8, own: 4, shared: 6, seed: 3, contextLength: 256 } as const;

test("room for 24 of 64 bundles, 18 % of them active: few bytes, and errors that running tokens again makes small", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const file = await topicModel(topicShape);
  const tokens = topicTokens(96, topics);
  const how = { deviceClass: "cpu", activations: "f32" } as const;
  const want = await logitsOf(await opened(gpu, file, how), tokens);
  const window = { slots: 24, shadow: true, halfLife: 2 };
  const all = { tokens, want };
  const once = await outcomeOf(await opened(gpu, file, { ...how, neurons: window }), file, all);
  expect(once.activeBundles).toBeGreaterThan(0.15);
  expect(once.activeBundles).toBeLessThan(0.25);
  expect(once.share).toBeLessThanOrEqual(0.35);
  expect(once.divergence).toBeLessThan(0.1);
  const neurons = { ...window, again: { above: 0.02, times: 3 } };
  const again = await outcomeOf(await opened(gpu, file, { ...how, neurons }), file, all);
  expect(again.share).toBeLessThanOrEqual(0.35);
  expect(again.divergence).toBeLessThan(1e-3);
  expect(again.blockError).toBeLessThan(0.01);
  expect(again.same).toBe(1);
  const blind = await outcomeOf(await opened(gpu, file, { ...how, neurons: { ...window, shadow: false } }), file, all);
  expect(blind.divergence).toBeGreaterThan(once.divergence);
  expect(blind.blockError).toBeGreaterThan(once.blockError);
});

test("the window has at least 0.9 of Belady's hits on the model's own trace", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const file = await topicModel(topicShape);
  const how = { deviceClass: "cpu", activations: "f32" } as const;
  const run = await opened(gpu, file, { ...how, neurons: { slots: 64, shadow: false, halfLife: 2 } });
  const { traces } = await tracesOf(run, topicTokens(96, topics));
  for (const slots of [16, 24, 32]) expect(windowShares(traces, slots, 2).share, `${slots} slots`).toBeGreaterThanOrEqual(0.9);
});

test("a read that fails is a typed error before anything is computed, and is made good by the next token", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const file = tinyModel({ ffn: 160, hidden: 64, metadata: relu });
  const how = { deviceClass: "cpu", activations: "f32" } as const;
  const want = await logitsOf(await opened(gpu, file, how), prompt);
  let failing = 2;
  const neurons: NonNullable<NeuronRunOptions["neurons"]> = {
    slots: 99,
    shadow: false,
    halfLife: 2,
    reader: (records) => ({
      read(layer, run, into) {
        if (layer === 1 && failing-- > 0) throw new ShaderloomError("STORE.evicted", "The record is gone. Load the model again.");
        return records.read(layer, run, into);
      },
    }),
  };
  const run = await opened(gpu, file, { ...how, neurons });
  expect(await errorCode(run.step(prompt[0], 0))).toBe("STORE.evicted");
  expect(await errorCode(run.step(prompt[0], 0))).toBe("STORE.evicted");
  expect(run.cache?.stats.tokens).toBe(0);
  const found = await logitsOf(run, prompt);
  for (const [at, logits] of want.entries()) expect(relativeError(logits, found[at])).toBeLessThan(1e-5);
});
