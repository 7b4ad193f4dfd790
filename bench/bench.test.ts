// What the bench does without a GPU: its command line, its statistics and verdicts, its tables, and reading what llama.cpp prints.
import { describe, expect, test } from "vitest";
import { q4_0 } from "../src/formats/q4_0.ts";
import { q4_k } from "../src/formats/q4_k.ts";
import type { Caps } from "../src/gpu/caps.ts";
import type { Family } from "../src/kernels/product_order.ts";
import { plainCaps } from "../src/testing/plain_caps.ts";
import { isLut, judgeDispatch, tierFor } from "./by_rows.ts";
import { readFlags, suiteOptions } from "./flags.mjs";
import { dispatchTable, kernelTable, matvecSummary, shares } from "./kernel_table.mjs";
import { shareOf } from "./kernel_sections.ts";
import { type KernelRow, planKernels } from "./kernels.ts";
import { parseLlamaBench, parseLlamaNode } from "./llama.mjs";
import { modelCalls } from "./model_calls.ts";
import { cacheCopies } from "./operands.ts";
import { fastest, outputError, type RivalTime } from "./rivals.ts";
import { median } from "./statistics.ts";
import { verdictOf } from "./verdict.mjs";

const caps: Caps = { ...plainCaps, maxBindingBytes: 1 << 30, maxBufferBytes: 1 << 30 };

function time(key: string, ms?: number): RivalTime {
  return { key, compileMs: 1, ...(ms === undefined ? { fault: "wrong results" } : { ms, medianMs: ms, nmse: 0 }) };
}

function columnOf(col: number): number {
  return col % 2;
}

function options(...args: string[]): ReturnType<typeof suiteOptions> {
  return suiteOptions(readFlags(args), "/nowhere/model.gguf");
}

function llamaBench(tests: readonly object[]): string {
  return `ggml_vulkan [log]: found 1 device\n${JSON.stringify(tests, undefined, 2)}\n`;
}

describe("statistics", () => {
  test("median", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  test("a variant that is wrong is never the fastest", () => {
    expect(fastest([time("a"), time("b", 2), time("c", 1)])?.key).toBe("c");
    expect(fastest([time("a")])).toBeUndefined();
  });

  test("copies of a matrix outgrow the caches, but not the buffer", () => {
    expect(cacheCopies(caps, 1 << 20)).toBe(256);
    expect(cacheCopies(caps, 1 << 30)).toBe(1);
    expect(cacheCopies({ ...caps, maxBufferBytes: 4 << 20 }, 1 << 20)).toBe(5);
    expect(cacheCopies({ ...caps, software: true }, 1 << 20)).toBe(1);
  });
});

test("the budget is shared among the sections that are asked for", () => {
  expect(shareOf("lut", ["lut"])).toBe(1);
  expect(shareOf("dispatch", ["columns", "dispatch", "kernels"])).toBe(3 / 8);
  expect(shareOf("kernels", ["copy", "dispatch", "kernels"])).toBe(1);
});

describe("errors of outputs", () => {
  const want = { rows: 2, cols: 2, data: Float32Array.of(1, 2, 3, 4) };
  const output = { spec: { rows: "rows", cols: 4, type: "f32" }, rows: 2, stride: 4, type: "f32" } as const;
  const error = (found: readonly number[]): number => outputError(output, { bytes: Float32Array.from(found).buffer, want, columnOf });

  test("columns that repeat those of the reference", () => {
    expect(error([1, 2, 1, 2, 3, 4, 3, 4])).toBe(0);
    expect(error([1, 2, 1, 2, 3, 4, 3, 5])).toBeCloseTo(1 / 60);
  });

  test("what nobody wrote is wrong", () => {
    expect(error([1, 2, 1, 2, 3, 4, 3, Number.NaN])).toBe(Number.POSITIVE_INFINITY);
  });

  test("words are right or wrong", () => {
    const spec = { rows: "rows", cols: 2, type: "u32" } as const;
    const ids = { rows: 1, cols: 2, data: new Float32Array(Uint32Array.of(7, 9).buffer) };
    const of = (words: Uint32Array<ArrayBuffer>): number =>
      outputError({ spec, rows: 1, stride: 2, type: "u32" }, { bytes: words.buffer, want: ids, columnOf: (col) => col });
    expect(of(Uint32Array.of(7, 9))).toBe(0);
    expect(of(Uint32Array.of(7, 8))).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("calls of models", () => {
  const shared = { caps, precision: "f32", prefillRows: 64 } as const;

  test("each shape of a product once, the head over one row", () => {
    const calls = modelCalls("1b", { ...shared, phase: "prefill", format: q4_0 });
    const products = calls.filter(({ call }) => call.kernel === "linear");
    expect(products.map(({ call, target }) => [call.weights[0].rows, call.weights[0].cols, target.maxRows])).toEqual([
      [3072, 2048, 64],
      [2048, 2048, 64],
      [16384, 2048, 64],
      [2048, 8192, 64],
      [128256, 2048, 1],
    ]);
    expect(calls.map(({ call }) => call.kernel)).toContain("attention_prefill");
  });

  test("rows that a type cannot store are left out", () => {
    const calls = modelCalls("0.5b", { ...shared, phase: "decode", format: q4_k });
    const cols = calls.flatMap(({ call }) => call.weights.map((range) => range.cols));
    expect(new Set(cols)).toEqual(new Set([4864]));
  });

  test("what models share is measured once", () => {
    const plan = { formats: [q4_0], precisions: ["f32"], phases: ["decode"], prefillRows: 64, pastTokens: 8 } as const;
    const items = planKernels({ caps }, { ...plan, models: ["1b", "3b"] });
    const head = items.filter(({ call, models }) => call.kernel === "sample_pick" && models.length === 2);
    expect(head).toHaveLength(1);
  });
});

describe("the dispatcher", () => {
  test("tiers", () => {
    const target = { caps, deviceClass: "gpu", precision: "f32", maxRows: 1 } as const;
    expect([1, 2, 8, 16, 256].map((rows) => tierFor(target, rows))).toEqual([1, 8, 8, 32, 256]);
  });

  test("the share of what it picks and of what it lets race", () => {
    const times = new Map<Family, RivalTime[]>([
      ["gemv", [time("gemv/a"), time("gemv/b", 4)]],
      ["skinny", [time("skinny/a", 3)]],
      ["gemm", [time("gemm/a", 2)]],
    ]);
    const judged = judgeDispatch(times, ["gemv", "skinny"]);
    expect(judged).toMatchObject({ picked: "gemv", share: 0.5, faults: ["gemv/a: wrong results"] });
    expect(judged?.raced).toBeCloseTo(2 / 3);
    expect(judgeDispatch(new Map([["gemm", [time("gemm/a")]]]), ["gemm"])).toBeUndefined();
    const row = { type: "q4_0", shape: "64 x 64", precision: "f32", rows: 8, tier: 8, ...judged } as Parameters<
      typeof dispatchTable
    >[0][number];
    expect(dispatchTable([row])).toContain("MISSED");
    expect(dispatchTable([row])).toContain("1 of 1 as picked, 1 after a race");
  });

  test("keys of lookups", () => {
    expect([isLut("gemv_lut/q4_0/f32/gpu"), isLut("gemv/q4_0/lut/f32/gpu"), isLut("gemv/q4_0/f32/gpu")]).toEqual([true, true, false]);
  });
});

describe("tables", () => {
  const row: KernelRow = {
    kernel: "linear",
    phase: "decode",
    precision: "f32",
    type: "q4_0",
    shape: "4096 x 4096",
    rows: 1,
    pastTokens: 0,
    models: ["8b"],
    work: { bytes: 9_000_000, macs: 16_000_000 },
    variants: [time("gemv/q4_0/f32/gpu", 0.1)],
    best: "gemv/q4_0/f32/gpu",
    ms: 0.1,
    gigabytesPerSecond: 90,
    gigamacsPerSecond: 160,
    gain: 1,
  };
  const rates = { copy: { gigabytesPerSecond: 100 }, peaks: { f32: 1600, f16: 3200, packedDot: 6400 } };

  test("shares of the copy kernel and of the peak that fits", () => {
    expect(shares(row, rates)).toEqual({ copy: 0.9, peak: 0.1 });
    expect(shares({ ...row, precision: "int8", best: "gemv/q4_0/int8_packed/f32/gpu" }, rates).peak).toBe(0.025);
    expect(shares({ ...row, kernel: "add" }, rates).peak).toBeUndefined();
    expect(shares(row, {})).toEqual({ copy: undefined, peak: undefined });
    expect(kernelTable([row], rates)).toMatch(/gemv\/q4_0\/f32\/gpu +0\.10 +90\.00 +90 % +160 +10 %/);
  });

  test("a kernel that is never right has no figures", () => {
    const { best, ms, gigabytesPerSecond, gigamacsPerSecond, gain, ...rest } = row;
    expect([best, ms, gigabytesPerSecond, gigamacsPerSecond, gain]).not.toContain(undefined);
    expect(kernelTable([rest], rates)).toContain("none is right");
  });

  test("only large matvecs are summed up", () => {
    expect(matvecSummary([row, { ...row, shape: "512 x 2048", gigabytesPerSecond: 1 }], rates)).toMatch(/f32 +1 +90 % +90 % +90 %/);
    expect(matvecSummary([{ ...row, shape: "512 x 2048" }], rates)).toBeUndefined();
  });
});

describe("command line", () => {
  test("filters", () => {
    const { sections, kernels, models } = options(
      "--only=kernels,lut",
      "--type=q4_0,q8_0",
      "--model=1b",
      "--shape=512x2048",
      "--budget=60",
    );
    expect({ sections, models }).toEqual({ sections: ["kernels", "lut"], models: [] });
    expect(kernels).toEqual({ budgetMs: 60_000, models: ["1b"], types: ["q4_0", "q8_0"], shapes: [[512, 2048]] });
    expect(readFlags(["--node"])).toMatchObject({ node: "any" });
  });

  test("models", () => {
    expect(options("--only=models", "--models=bundled,1b-q4_k,a/b.gguf").models).toEqual([
      { kind: "random", shape: "1b", format: "q4_k" },
      { kind: "file", name: "b.gguf", path: "a/b.gguf" },
    ]);
  });

  test("streaming", () => {
    expect(options("--only=stream").stream).toEqual({ shape: "many", format: "q4_0", rate: "balanced" });
    expect(options("--only=stream", "--model=3b", "--type=q8_0", "--rate=1500").stream).toEqual({
      shape: "3b",
      format: "q8_0",
      rate: 1.5e9,
    });
    expect(options("--only=stream", "--rate=free").stream?.rate).toBe("free");
    expect(options("--only=copy").stream).toBeUndefined();
    expect(() => options("--only=stream", "--rate=fast")).toThrow("--rate=fast");
  });

  test("what cannot be meant is refused", () => {
    expect(() => options("--only=kernel")).toThrow("there is no kernel");
    expect(() => options("--shape=512")).toThrow("--shape=512");
    expect(() => options("--budget=0")).toThrow("--budget=0");
    expect(() => options("--batch=1,x")).toThrow("--batch=x");
    expect(() => options("--fast")).toThrow("--fast");
  });
});

describe("verdict", () => {
  const ratio = { name: "f32", ours: "a", reference: "b", ratio: 2.9, medianRatio: 3.1 };

  test("every promise, and one at least", () => {
    expect(verdictOf({ ratios: { times: [], ratios: [{ ...ratio, goal: 2.9 }, ratio] } })).toEqual([]);
    expect(verdictOf({ ratios: { times: [], ratios: [{ ...ratio, goal: 3 }] } })).toEqual(["f32: 2.90 times, promised 3"]);
    expect(verdictOf({ ratios: { times: [], ratios: [{ ...ratio, goal: 3, ratio: Number.NaN }] } })).toHaveLength(1);
    expect(verdictOf({ ratios: { times: [], ratios: [ratio] } })).toHaveLength(1);
  });

  test("wrong kernels", () => {
    expect(verdictOf({ faults: ["gemv: wrong"] })).toEqual(["a kernel is not right: gemv: wrong"]);
    expect(verdictOf({})).toEqual([]);
  });
});

describe("llama.cpp", () => {
  const shared = { build_commit: "abc", build_number: 7000, backends: "Vulkan", gpu_info: "A card" };

  test("llama-bench", () => {
    const text = llamaBench([
      { ...shared, n_prompt: 128, n_gen: 0, avg_ts: 2, samples_ts: [1000, 3000, 2000] },
      { ...shared, n_prompt: 0, n_gen: 64, avg_ts: 100.5 },
    ]);
    expect(parseLlamaBench(text)).toEqual({
      engine: "llama.cpp 7000 abc",
      backend: "Vulkan",
      device: "A card",
      prefill: { tokens: 128, tokensPerSecond: 2000, runs: [1000, 3000, 2000] },
      decode: { tokens: 64, tokensPerSecond: 100.5, runs: [100.5] },
    });
    expect(() => parseLlamaBench(llamaBench([{ ...shared, n_prompt: 128, n_gen: 0, avg_ts: 2 }]))).toThrow("left out");
    expect(() => parseLlamaBench("error: failed to load model")).toThrow("no JSON");
  });

  test("node-llama-cpp", () => {
    expect(parseLlamaNode('[node-llama-cpp] loaded\n{"engine":"llama.cpp"}\n')).toEqual({ engine: "llama.cpp" });
    expect(() => parseLlamaNode("")).toThrow("no result");
  });
});
