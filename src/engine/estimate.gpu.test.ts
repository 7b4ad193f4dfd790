// The verdict against the load it is about: the same bytes to the last, and a speed from this adapter's own measurement.

import { expect, test } from "vitest";
import { BufferLedger } from "../gpu/buffers.ts";
import { openDevice } from "../gpu/device.ts";
import { fakeProbe } from "../testing/fake_probe.ts";
import { gpuOrSkip } from "../testing/gpu.ts";
import { tinyModel, type TinyModelOptions } from "../testing/tiny_model.ts";
import { errorCode } from "../testing/typed_error.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { estimateSession, probeSession } from "./estimate.ts";
import type { ExecutionOptions } from "./execution.ts";
import { loadSession } from "./load.ts";
import { buildModel } from "./model.ts";
import { placeRunner, planRunner } from "./placement.ts";

const models: ReadonlyArray<readonly [string, TinyModelOptions]> = [
  ["f32", { contextLength: 1024 }],
  ["q4_0, 5000 tokens trained", { format: "q4_0", architecture: "qwen2", contextLength: 5000 }],
  ["q4_k", { format: "q4_k", hidden: 256, ffn: 512, architecture: "qwen3" }],
];

/** What is joined decides which activations there are, and so what they take. */
const fusions: ReadonlyArray<ExecutionOptions["fusion"]> = ["auto", "off", ["qkv", "norm"]];

for (const [name, options] of models) {
  test(`GPU bytes are those of the load: ${name}`, async (context) => {
    await expectSameBytes(await gpuOrSkip(context), options, {});
  });
}

test("GPU bytes of the other class of programs are those of buffers on a device", async (context) => {
  const gpu = await gpuOrSkip(context);
  const deviceClass = "gpu";
  const probe = fakeProbe({ adapter: { ...fakeProbe().adapter, deviceClass } });
  for (const [fusion, [, options]] of fusions.flatMap((one) => models.map((model) => [one, model] as const))) {
    const model = tinyModel(options);
    const verdict = await estimateSession({ model, gpu, probe, deviceClass, execution: { fusion } });
    // Compiling these programs takes software adapters long, and allocates nothing.
    const opened = await openDevice(gpu, { deviceClass });
    const source = bytesSource(model);
    const built = await buildModel(await openGguf(source), source, { caps: opened.caps });
    const ledger = new BufferLedger(opened.device);
    placeRunner(await planRunner(built, opened.caps, { fusion }), built, { device: opened.device, ledger });
    const { total } = ledger.bytes();
    ledger.destroyAll();
    opened.destroy();
    expect(verdict.gpu.atLoad).toBe(total);
  }
});

async function expectSameBytes(
  gpu: GPU,
  options: TinyModelOptions,
  more: { activations?: "f32" | "f16" | "int8"; contextLength?: number; execution?: ExecutionOptions },
): Promise<number> {
  const model = tinyModel(options);
  const probe = fakeProbe({
    activations: more.activations ?? "f32",
  });
  const verdict = await estimateSession({ model, gpu, probe, ...more });
  const session = await loadSession({ model, gpu, ...more });
  try {
    const { gpuBytes, kvPages } = session.stats();
    expect(verdict.problems).toEqual([]);
    expect(verdict.gpu.atLoad).toBe(gpuBytes.total);
    expect(verdict.gpu.weights).toBe(gpuBytes.weights);
    expect(verdict.gpu.scratch).toBe(gpuBytes.activations + gpuBytes.other);
    const { parameters, contextLength } = session.info();
    expect(verdict).toMatchObject({ parameters, contextLength, fits: true, probe });
    const pages = Math.ceil(contextLength / 32);
    expect(verdict.gpu.kv).toBe((gpuBytes.kv / kvPages.capacity) * Math.max(pages, kvPages.capacity));
    return verdict.gpu.scratch;
  } finally {
    session.destroy();
  }
}

test("GPU bytes are those of the load in other precisions, with a context of one's own", async (context) => {
  const gpu = await gpuOrSkip(context);
  await expectSameBytes(gpu, { contextLength: 2048 }, { activations: "int8", contextLength: 777 });
  const adapter = await gpu.requestAdapter();
  if (adapter?.features.has("shader-f16")) await expectSameBytes(gpu, { contextLength: 2048 }, { activations: "f16" });
});

test("GPU bytes are those of the load whatever is joined", async (context) => {
  const gpu = await gpuOrSkip(context);
  const options = { format: "q4_0" } as const;
  const { gpu: auto } = await estimateSession({ model: tinyModel(options), gpu, probe: fakeProbe() });
  // Were they the same, the verdict need not have listened.
  for (const fusion of ["off", ["qkv", "norm"]] as const) {
    expect(await expectSameBytes(gpu, options, { execution: { fusion } })).not.toBe(auto.scratch);
  }
});

test("a verdict measures this adapter, and is of use again", async (context) => {
  const gpu = await gpuOrSkip(context);
  const model = tinyModel({ format: "q4_0" });
  const verdict = await estimateSession({ model, gpu });
  expect(verdict.problems).toEqual([]);
  expect(Object.keys(verdict.probe?.decodeWeights ?? {}).toSorted()).toEqual(["f32", "q4_0"]);
  expect(verdict.decodeTokensPerSecond).toBeGreaterThan(0);
  expect(verdict.prefillTokensPerSecond).toBeGreaterThan(0);
  expect(verdict.memory?.givenBytes).toBe(2 * verdict.gpu.total);
  const again = await estimateSession({ model: tinyModel(), gpu, ...(verdict.probe ? { probe: verdict.probe } : {}) });
  expect(again.probe).toBe(verdict.probe);
  // A model of another format needs another measurement.
  const other = await estimateSession({ model: tinyModel({ format: "q8_0" }), gpu, ...(verdict.probe ? { probe: verdict.probe } : {}) });
  expect(other.probe).not.toBe(verdict.probe);
  expect(other.decodeTokensPerSecond).toBeGreaterThan(0);
});

test("a probe gives rates for what it was asked, in either class and precision", async (context) => {
  const gpu = await gpuOrSkip(context);
  const options = [
    { formats: ["q8_0", "q6_k"] },
    { formats: ["q4_0"], deviceClass: "gpu" },
    { formats: ["q4_0"], activations: "int8" },
  ] as const;
  for (const one of options) {
    const probe = await probeSession({ gpu, ...one });
    const { copyBytes, elementBytes, attentionProducts, dispatchMs, readbackMs, uploadBytes, productStartMs, latency, peaks } = probe;
    const rates = [copyBytes, elementBytes, dispatchMs, readbackMs, uploadBytes];
    rates.push(...Object.values(attentionProducts), ...Object.values(productStartMs), ...Object.values(peaks), latency.idleMs);
    rates.push(...Object.values(probe.decodeWeights), ...Object.values(probe.prefillProducts));
    expect(rates.filter((rate) => !(rate > 0 && Number.isFinite(rate)))).toEqual([]);
    expect(Object.keys(peaks)).toEqual(["f32", ...(probe.adapter.f16 ? ["f16"] : []), "packedDot"]);
    // Nothing that computes outruns registers, and what waits behind a step does not hold its result back by more than itself.
    expect(Math.max(...Object.values(probe.prefillProducts))).toBeLessThan(2 * Math.max(...Object.values(peaks)));
    expect(latency.loadedMs).toBeGreaterThanOrEqual(latency.idleMs);
    expect(latency.loadedMs).toBeLessThan(1000);
    expect(Object.keys(probe.decodeWeights).toSorted()).toEqual([...one.formats].toSorted());
    expect(Object.keys(probe.prefillProducts).toSorted()).toEqual([...one.formats].toSorted());
  }
});

test("a probe ends when it is aborted, and says what a GPU lacks", async (context) => {
  const gpu = await gpuOrSkip(context);
  const stop = new AbortController();
  const probe = probeSession({ gpu, formats: ["q4_0"], signal: stop.signal });
  setTimeout(() => stop.abort(), 30);
  expect(await errorCode(probe)).toBe("AbortError");
  const none = { requestAdapter: async () => null } as unknown as GPU;
  expect(await errorCode(probeSession({ gpu: none }))).toBe("GPU.unavailable");
});

test("a budget below the need says how it would run streamed, and the least that works", async (context) => {
  const gpu = await gpuOrSkip(context);
  const model = tinyModel({ layers: 12, hidden: 128, ffn: 512, contextLength: 256 });
  const probe = fakeProbe();
  const whole = await estimateSession({ model, gpu, probe });
  expect(whole).toMatchObject({ fits: true, streamed: null });
  const within = await estimateSession({ model, gpu, probe, memoryBudget: whole.gpu.total });
  expect(within).toMatchObject({ fits: true, streamed: null, memory: { source: "budget", givenBytes: whole.gpu.total } });
  const memoryBudget = whole.gpu.total - whole.gpu.weights / 2;
  const verdict = await estimateSession({ model, gpu, probe, memoryBudget });
  expect(verdict).toMatchObject({ fits: false, spareBytes: memoryBudget - whole.gpu.total, problems: [], gpu: whole.gpu });
  const { streamed } = verdict;
  expect(streamed).toMatchObject({ tier: "memory", imageStored: false });
  expect(streamed?.memoryBudget).toBe(memoryBudget);
  expect(streamed?.streamedLayers).toBeGreaterThan(0);
  expect(streamed?.decodeTokensPerSecond).toBeLessThanOrEqual(verdict.decodeTokensPerSecond ?? 0);
  expect(verdict.suggestion?.text).toMatch(/^It fits streamed, at about [\d.]+ tokens per second: set memoryBudget to \d+\. /);
  // What lies in this machine's memory takes no storage.
  expect(verdict.storage.neededBytes).toBe(0);
  const small = await estimateSession({ model, gpu, probe, memoryBudget: 1000 });
  expect(small).toMatchObject({ fits: false, streamed: null });
  expect(small.problems).toMatchObject([{ code: "GPU.budget", detail: { have: 1000, need: streamed?.leastBytes } }]);
});
