// The verdict on a model that does not fit whole: what it takes, and a speed that follows the rates it rests on.

import { expect, test } from "vitest";
import type { Caps } from "../gpu/caps.ts";
import { noDiagnostics } from "../store/diagnostics.ts";
import { imageScheme } from "../store/manifest.ts";
import { openModelStore } from "../store/open.ts";
import { fakeProbe } from "../testing/fake_probe.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { typedError } from "../testing/typed_error.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { draftModel } from "./model_draft.ts";
import { measureNeed } from "./need.ts";
import { planRunner } from "./placement.ts";
import { measureReads } from "./read_probe.ts";
import { predictSpeed } from "./speed.ts";
import type { GpuNeed } from "./verdict.ts";
import { judgeStreamed, type StreamedOptions } from "./streamed_verdict.ts";

const caps = { deviceClass: "cpu", software: true, f16: false, maxBindingBytes: 1 << 27, maxBufferBytes: 1 << 28 } as Caps;
const layers = 24;

async function optionsOf(): Promise<StreamedOptions & { readonly need: GpuNeed }> {
  const { model } = await draftModel(await openGguf(bytesSource(tinyModel({ layers, hidden: 256, ffn: 512, contextLength: 256 }))), {
    caps,
  });
  if (!model) throw new Error("the tiny model is accepted");
  const plan = await planRunner(model, caps);
  const need = measureNeed(plan, model);
  const rest = { memoryBudget: undefined, models: undefined, model: undefined, wish: undefined, signal: undefined };
  return { plan, loaded: model, need, givenBytes: need.total * 0.7, probe: fakeProbe(), ...rest };
}

test("what fits least runs, and a byte less is refused with that number", async () => {
  const options = await optionsOf();
  const verdict = await judgeStreamed(options);
  expect(verdict).toBeDefined();
  const least = verdict?.leastBytes ?? 0;
  expect(least).toBeLessThan(options.need.total);
  expect(least).toBeGreaterThan(options.need.kv + options.need.scratch);
  const enough = await judgeStreamed({ ...options, memoryBudget: least });
  expect(enough).toMatchObject({ memoryBudget: least, residentLayers: 0, streamedLayers: layers });
  const error = await typedError(judgeStreamed({ ...options, memoryBudget: least - 1 }));
  expect(error).toMatchObject({ code: "GPU.budget", detail: { need: least, have: least - 1 } });
  expect(error.message).toContain(String(least));
});

test("most of what there is becomes the budget, and more of it keeps more layers", async () => {
  const options = await optionsOf();
  const [less, more] = await Promise.all([0.5, 0.8].map((share) => judgeStreamed({ ...options, givenBytes: options.need.total * share })));
  expect(more?.memoryBudget).toBeLessThan(options.need.total * 0.8);
  expect(more?.memoryBudget).toBeGreaterThan(options.need.total * 0.8 * 0.9 - (1 << 20) - 1);
  expect(more?.residentLayers).toBeGreaterThan(less?.residentLayers ?? layers);
  expect(more?.bytesPerToken).toBeLessThan(less?.bytesPerToken ?? 0);
  expect((more?.residentLayers ?? 0) + (more?.streamedLayers ?? 0)).toBe(layers);
  const forced = await judgeStreamed({ ...options, wish: { residentLayers: 2 } });
  expect(forced).toMatchObject({ residentLayers: 2, streamedLayers: layers - 2 });
});

test("a token takes as long as its bytes or as its computing, whichever is more", async () => {
  const options = await optionsOf();
  const slowly = await judgeStreamed({ ...options, probe: fakeProbe({ uploadBytes: 1e6 }) });
  // Nothing is faster than copying at that rate, however fast storage and kernels are.
  expect(slowly?.decodeTokensPerSecond).toBeLessThanOrEqual(1.001e6 / (slowly?.bytesPerToken ?? 1));
  const idle = fakeProbe({ decodeWeights: { f32: 1e5 }, uploadBytes: 1e12 });
  const computing = await judgeStreamed({ ...options, probe: idle });
  const whole = predictSpeed(options.plan, idle)?.decodeTokensPerSecond ?? 0;
  expect(computing?.decodeTokensPerSecond).toBeLessThanOrEqual(whole * 1.001);
  expect(computing?.decodeTokensPerSecond).toBeGreaterThan(whole * 0.9);
  // A probe without the format tells nothing.
  expect(await judgeStreamed({ ...options, probe: fakeProbe({ decodeWeights: {} }) })).toBeUndefined();
});

test("reads are measured where the copy would lie, and leave nothing there", async () => {
  const models = await openModelStore({ tier: "memory" });
  if (!models) throw new Error("there is a store in memory");
  const sample = await measureReads({ models });
  expect(sample.tier).toBe("memory");
  expect(sample.bytesPerSecond).toBeGreaterThan(1e6);
  expect(await models.list()).toEqual([]);
  expect((await measureReads({ models: undefined })).tier).toBe("memory");
  expect(await typedError(measureReads({ models, signal: AbortSignal.abort() }))).toMatchObject({ code: "AbortError" });
});

test("what is stored is read in place, and a copy that is complete is known", async () => {
  const models = await openModelStore({ tier: "memory" });
  if (!models) throw new Error("there is a store in memory");
  const options = await optionsOf();
  const planned = await judgeStreamed(options);
  const bytes = planned?.imageBytes ?? 0;
  const model = "a".repeat(32);
  const description = { url: imageScheme + model, revision: "r", name: "m", bytes, sha256: null, model, chunkBytes: bytes };
  const diagnostics = noDiagnostics();
  const file = await models.open(description, diagnostics);
  expect(await judgeStreamed({ ...options, models, model })).toMatchObject({ imageStored: false });
  await file.put(0, new Uint8Array(bytes));
  await file.complete({ sha256: null, verified: false });
  expect(await judgeStreamed({ ...options, models, model })).toMatchObject({ imageStored: true, tier: "memory" });
  expect((await models.find(imageScheme + model)).map(({ state }) => state)).toEqual(["complete"]);
});
