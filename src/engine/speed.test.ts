// What is foretold of a model follows its adapter's rates. How well that is what happens is the bench's to say (bench/estimate.ts).

import { expect, test } from "vitest";
import type { Caps } from "../gpu/caps.ts";
import { fakeProbe } from "../testing/fake_probe.ts";
import { plainCaps } from "../testing/plain_caps.ts";
import { tinyModel, type TinyModelOptions } from "../testing/tiny_model.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { draftModel } from "./model_draft.ts";
import { planRunner, type RunnerPlan } from "./placement.ts";
import { predictSpeed, productFormats } from "./speed.ts";

const caps: Caps = { ...plainCaps, deviceClass: "cpu", software: true, f16: false };

async function planOf(options: TinyModelOptions, deviceClass: "cpu" | "gpu" = "cpu"): Promise<RunnerPlan> {
  const of = { ...caps, deviceClass };
  const { model } = await draftModel(await openGguf(bytesSource(tinyModel(options))), { caps: of });
  if (!model) throw new Error("the tiny model is accepted");
  return planRunner(model, of);
}

/** An adapter for which nothing counts. */
const free = fakeProbe({
  elementBytes: Number.POSITIVE_INFINITY,
  decodeWeights: { f32: Number.POSITIVE_INFINITY },
  prefillProducts: { f32: Number.POSITIVE_INFINITY },
  attentionProducts: { decode: Number.POSITIVE_INFINITY, prefill: Number.POSITIVE_INFINITY },
  productStartMs: { decode: 0, prefill: 0 },
  dispatchMs: 0,
  readbackMs: 0,
});

type Part = Parameters<typeof fakeProbe>[0];

function decodeMs(plan: RunnerPlan, probe: Part): number {
  return 1000 / (predictSpeed(plan, { ...free, ...probe })?.decodeTokensPerSecond ?? 0);
}

function prefillMs(plan: RunnerPlan, probe: Part): number {
  return 128000 / (predictSpeed(plan, { ...free, ...probe })?.prefillTokensPerSecond ?? 0);
}

/** Products, weights and keys of the tiny model with 2 layers, hidden 64, 4 heads of 16, 2 KV heads, FFN 172, 263 tokens. */
const layerWeights = 64 * 64 * 2 + 2 * 32 * 64 + (176 + 172) * 64 + 64 * 192; // up begins a row group; 172 inputs are read as 192
const headWeights = 263 * 64;

test("a token takes its weights, its past and its dispatches", async () => {
  const plan = await planOf({});
  expect(decodeMs(plan, { decodeWeights: { f32: 1e6 } })).toBeCloseTo((2 * layerWeights + headWeights) / 1e3, 6);
  expect(decodeMs(plan, { attentionProducts: { decode: 1e6, prefill: 1 } })).toBeCloseTo((2 * 64 * 160) / 1e3, 6);
  expect(decodeMs(plan, { readbackMs: 7 })).toBeCloseTo(7, 6);
  expect(decodeMs(plan, { productStartMs: { decode: 1, prefill: 99 } })).toBeCloseTo(2 * 4 + 1, 6);
  // Per layer 2 norms, heads, attention and its merge; embedding, last norm, candidates, choice, advance.
  expect(decodeMs(plan, { dispatchMs: 1 })).toBeCloseTo(2 * 5 + 5, 6);
  // Per layer attention alone.
  expect(decodeMs(await planOf({}, "gpu"), { dispatchMs: 1 })).toBeCloseTo(2 * 1 + 5, 6);
});

test("a prompt takes whole tiles of rows, and half of its square", async () => {
  const [cpu, gpu] = await Promise.all([planOf({}), planOf({}, "gpu")]);
  const products = { prefillProducts: { f32: 1e6 } };
  // The head's one row is a vector.
  expect(prefillMs(cpu, products)).toBeCloseTo((128 * 2 * layerWeights) / 1e3, 5);
  expect(prefillMs(cpu, { decodeWeights: { f32: 1e6 } })).toBeCloseTo(headWeights / 1e3, 5);
  // On GPUs tiles of the smallest matrices would leave most lanes idle: those are vectors, eight at a time.
  const tiled = (prefillMs(gpu, products) * 1e3) / 128;
  const vectors = (prefillMs(gpu, { decodeWeights: { f32: 1e6 } }) * 1e3 - headWeights) / (128 / 8);
  expect(Math.min(tiled, vectors)).toBeGreaterThan(0.4 * layerWeights);
  expect(tiled + vectors).toBeCloseTo(2 * layerWeights, 5);
  expect(prefillMs(cpu, { attentionProducts: { decode: 1, prefill: 1e6 } })).toBeCloseTo((2 * 64 * 64.5 * 128) / 1e3, 5);
});

test("the formats of a model are those of its products, the heaviest first, and all are needed", async () => {
  // Rows of 172 fill no block of 32: ffn_down stays f32.
  const plan = await planOf({ format: "q4_0" });
  expect(productFormats(plan)).toEqual(["q4_0", "f32"]);
  expect(predictSpeed(plan, fakeProbe({ decodeWeights: { q4_0: 1 } }))).toBeUndefined();
  expect(predictSpeed(plan, fakeProbe())).toBeDefined();
});
