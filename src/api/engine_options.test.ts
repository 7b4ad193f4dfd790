import { describe, expect, test } from "vitest";
import { executionRanges, fusionNames } from "../engine/execution.ts";
import { chunkRows } from "../engine/placement.ts";
import { refusal } from "../testing/refusal.ts";
import { checkEngineOptions } from "./engine_options.ts";
import { checkEstimateOptions, checkProbeOptions } from "./estimate_options.ts";

const check = (changes: object): unknown => checkEngineOptions({ model: "model.gguf", ...changes });

describe("engine options", () => {
  test("all kinds of model pass", () => {
    for (const model of ["hf:a/b/c.gguf", new URL("https://example.test/m.gguf"), new Blob(), new ArrayBuffer(1), new Uint8Array(1)]) {
      expect(check({ model })).toMatchObject({ model });
    }
  });
  test.each([
    ["model", undefined],
    ["model", ""],
    ["model", 5],
    ["model", {}],
    ["worker", "yes"],
    ["contextLength", 0],
    ["contextLength", -1],
    ["contextLength", 1.5],
    ["contextLength", Number.NaN],
    ["contextLength", "4096"],
    ["memoryBudget", 0],
    ["memoryBudget", -1],
    ["memoryBudget", 1.5],
    ["memoryBudget", Number.NaN],
    ["memoryBudget", Infinity],
    ["memoryBudget", "1GB"],
    ["activations", "f64"],
    ["deviceClass", "tpu"],
    ["tuning", true],
    ["tuning", "always"],
    ["onProgress", 5],
    ["signal", {}],
    ["hub", "token"],
    ["hub", { password: "x" }],
    ["hub", { token: 5 }],
    ["model", []],
    ["model", [new Blob(), 5]],
    ["model", Array.from({ length: 1025 }, () => "a.gguf")],
    ["sha256", "abc"],
    ["sha256", []],
    ["sha256", ["0".repeat(64), 5]],
    ["store", "off"],
    ["store", { mode: "always" }],
    ["store", { tier: "files" }],
    ["store", { onFull: true }],
    ["store", { evict: "all" }],
    ["store", { folder: 5 }],
    ["store", { __proto__: null, token: "x" }],
    ["quantize", "q5_0"],
    ["quantize", true],
    ["checkWeights", "yes"],
    ["unknown", 1],
  ])("%s refuses %o", (name, value) => {
    expect(refusal(() => check({ [name]: value })).code).toBe(`REQUEST.${name}`);
  });
  test("gpu and worker: true exclude each other", () => {
    expect(refusal(() => check({ gpu: {}, worker: true })).code).toBe("REQUEST.worker");
    expect(check({ gpu: {}, worker: false })).toBeDefined();
  });
  test("quantizing and checking pass", () => {
    const options = { model: "hf:owner/repo", quantize: "q4_k", checkWeights: true };
    expect(check(options)).toEqual(options);
    expect(checkEstimateOptions({ model: "hf:owner/repo", quantize: "q8_0" })).toEqual({ model: "hf:owner/repo", quantize: "q8_0" });
  });
  test.each([
    ["", "fast", "an object of fields"],
    [
      ".speed",
      { speed: 1 },
      "the fields are fusion, sampler, tokensInFlight, chunkTokens, frameBudgetMs, residentLayers, prefetchLayers, neurons",
    ],
    [".neurons", { neurons: 5 }, "an object of fields"],
    [".neurons.size", { neurons: { budget: 5, size: 5 } }, "the fields are budget, threshold"],
    [".neurons.budget", { neurons: {} }, "an integer from 1 to"],
    [".neurons.budget", { neurons: { budget: 0.5 } }, "an integer from 1 to"],
    [".neurons.threshold", { neurons: { budget: 5, threshold: -1 } }, "a number from 0 to 65504"],
    [".fusion", { fusion: "on" }, '"auto", "off" or a list of qkv,'],
    [".fusion", { fusion: null }, '"auto", "off" or a list'],
    [".fusion[1]", { fusion: ["norm", "rope"] }, "one of qkv, gate_up,"],
    [".fusion[2]", { fusion: ["qkv", "norm", "qkv"] }, "each at most once"],
    [".fusion[0]", { fusion: [3] }, "one of qkv, gate_up,"],
    [".fusion", { fusion: Array.from({ length: 99 }, () => "qkv") }, "an array of at most 8"],
    [".sampler", { sampler: "npu" }, 'one of "gpu", "cpu"'],
    [".tokensInFlight", { tokensInFlight: 0 }, "an integer from 1 to 32"],
    [".tokensInFlight", { tokensInFlight: 33 }, "an integer from 1 to 32"],
    [".tokensInFlight", { tokensInFlight: 1.5 }, "an integer from 1 to 32"],
    [".tokensInFlight", { tokensInFlight: "4" }, "an integer from 1 to 32"],
    [".chunkTokens", { chunkTokens: 0 }, "an integer from 1 to 256"],
    [".chunkTokens", { chunkTokens: 257 }, "an integer from 1 to 256"],
    [".frameBudgetMs", { frameBudgetMs: -1 }, "a number from 0 to 1000"],
    [".frameBudgetMs", { frameBudgetMs: Number.NaN }, "a number from 0 to 1000"],
    [".frameBudgetMs", { frameBudgetMs: Infinity }, "a number from 0 to 1000"],
    [".residentLayers", { residentLayers: -1 }, "an integer from 0 to 1024"],
    [".residentLayers", { residentLayers: 1025 }, "an integer from 0 to 1024"],
    [".residentLayers", { residentLayers: 0.5 }, "an integer from 0 to 1024"],
    [".prefetchLayers", { prefetchLayers: 0 }, "a number from 0.1 to 8"],
    [".prefetchLayers", { prefetchLayers: 9 }, "a number from 0.1 to 8"],
    [".prefetchLayers", { prefetchLayers: Number.NaN }, "a number from 0.1 to 8"],
  ])("execution%s refuses %o and names field and range", (path, execution, range) => {
    const error = refusal(() => check({ execution }));
    expect(error.code).toBe("REQUEST.execution");
    expect(error.message).toContain(`execution${path} `);
    expect(error.message).toContain(range);
  });
  test("options of execution pass, with chunks up to the rows of a step", () => {
    const execution = { fusion: [...fusionNames], sampler: "cpu", tokensInFlight: 32, chunkTokens: chunkRows, frameBudgetMs: 0 };
    expect(check({ execution })).toMatchObject({ execution });
    expect(executionRanges.chunkTokens.max).toBe(chunkRows);
    for (const fusion of ["auto", "off", []]) expect(check({ execution: { fusion } })).toMatchObject({ execution: { fusion } });
    expect(checkEstimateOptions({ model: "a.gguf", execution: { fusion: "off" } })).toEqual({
      model: "a.gguf",
      execution: { fusion: "off" },
    });
  });
  test("a memory budget and the knobs of streaming pass, for an estimate too", () => {
    const options = { model: "a.gguf", memoryBudget: 1, execution: { residentLayers: 0, prefetchLayers: 0.1 } };
    expect(check(options)).toEqual(options);
    expect(checkEstimateOptions({ ...options, memoryBudget: 2 ** 35 })).toEqual({ ...options, memoryBudget: 2 ** 35 });
    expect(check({ execution: { residentLayers: 1024, prefetchLayers: 8 } })).toBeDefined();
  });
  test("streamed neurons pass", () => {
    const options = { model: "a.gguf", execution: { neurons: { budget: 2 ** 30, threshold: 0.5 } } };
    expect(check(options)).toEqual(options);
  });
  test("no options at all", () => {
    expect(refusal(() => checkEngineOptions(undefined as never)).code).toBe("REQUEST.request");
  });
  test("a split model, its hashes and the store's options pass", () => {
    const options = { model: ["a.gguf", new Blob()], sha256: ["0".repeat(64), "F".repeat(64)], store: { mode: "refresh", evict: true } };
    expect(check(options)).toMatchObject({ sha256: options.sha256, store: options.store });
  });
});

describe("options of estimate and probe", () => {
  const adapter = { vendor: "", architecture: "", description: "", deviceClass: "cpu", f16: false };
  const probe = {
    adapter,
    copyBytes: 1,
    decodeWeights: { q4_0: 1 },
    prefillProducts: {},
    attentionProducts: 1,
    dispatchMs: 0,
    readbackMs: 0,
    latency: { idleMs: 0.1, loadedMs: 0 },
    peaks: { f32: 1e12, packedDot: 4e12 },
    uploadBytes: 1,
    tookMs: 1,
  };
  test("a probe of before passes, and survives JSON", () => {
    expect(checkEstimateOptions({ model: "a.gguf", probe: JSON.parse(JSON.stringify(probe)) })).toMatchObject({ probe });
  });
  test.each([
    ["probe", { ...probe, decodeWeights: { q4_0: "fast" } }],
    ["probe", { ...probe, copyBytes: Number.NaN }],
    ["probe", { ...probe, peaks: { f32: "fast" } }],
    ["probe", 5],
    ["model", 5],
    ["onProgress", (): void => undefined],
    ["memoryBudget", 0],
    ["store", { mode: "never" }],
    ["quantize", 8],
    ["checkWeights", true],
    ["execution", { fusion: "on" }],
  ])("estimate's %s refuses %o", (name, value) => {
    expect(refusal(() => checkEstimateOptions({ model: "a.gguf", [name]: value })).code).toBe(`REQUEST.${name}`);
  });
  test("probe takes no model", () => {
    expect(refusal(() => checkProbeOptions({ model: "a.gguf" } as never)).code).toBe("REQUEST.model");
    expect(checkProbeOptions({ activations: "int8" })).toEqual({ activations: "int8" });
  });
});
