// Fused programs against the same graph without any pass, on real adapters: logits, and the text of a session.

import { describe, expect, test } from "vitest";
import { fusionNames } from "../graph/fuse/names.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { relativeRms } from "../testing/fused.ts";
import { greedyIds } from "../testing/oracle.ts";
import { type ProgramRun, programLogits } from "../testing/program_logits.ts";
import { tinyModel, type TinyModelOptions } from "../testing/tiny_model.ts";
import { loadSession } from "./load.ts";

const shape = { hidden: 256, heads: 4, kvHeads: 2, ffn: 172, layers: 2 } as const;
/** Long enough that attention in decode has several ranges: a CPU range holds 32 positions, a GPU range 128. */
const prompt = Array.from({ length: 150 }, (_, index) => (index * 37 + 11) % 256);
const decoded = [72, 101, 108];

/** Largest relative RMS of any step's logits against those without a pass. */
async function difference(gpu: GPU, options: TinyModelOptions, run: Omit<ProgramRun, "fusion">, fusion: ProgramRun["fusion"] = "auto") {
  const file = tinyModel({ ...shape, ...options });
  const [fused, plain] = [
    await programLogits(gpu, file, { ...run, fusion }, { prompt, decoded }),
    await programLogits(gpu, file, { ...run, fusion: "off" }, { prompt, decoded }),
  ];
  return Math.max(...fused.map((logits, step) => relativeRms(logits, plain[step])));
}

function mixed(matrix: string): string {
  return matrix.endsWith("attn_v") ? "q6_k" : "q4_k";
}

describe("logits with all passes and with none", () => {
  for (const architecture of ["llama", "qwen2", "qwen3"] as const) {
    for (const deviceClass of ["gpu", "cpu"] as const) {
      test(`${architecture} on the ${deviceClass} program`, async (context) => {
        const gpu = await sharedGpuOrSkip(context);
        expect(await difference(gpu, { architecture }, { deviceClass, activations: "f32" })).toBeLessThan(1e-5);
      });
    }
  }
  test("quantized weights, and rows split at the binding limit", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    expect(await difference(gpu, { format: mixed, ffn: 256 }, { deviceClass: "gpu", activations: "f32" })).toBeLessThan(1e-5);
    const run = { deviceClass: "gpu", activations: "f32", maxBindingBytes: 160 * 1024 } as const;
    expect(await difference(gpu, { architecture: "qwen2", ffn: 256, layers: 1, contextLength: 160 }, run)).toBeLessThan(1e-5);
  });
  test("beyond the positions that ranges of their least length hold", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const file = tinyModel({ hidden: 512, heads: 32, kvHeads: 32, ffn: 64, layers: 1, contextLength: 320 });
    // Four ranges of 64 positions, then longer ones.
    const steps = { prompt: Array.from({ length: 253 }, (_, index) => (index * 53 + 7) % 256), decoded: [72, 101, 108, 108, 111, 32] };
    const run = { deviceClass: "gpu", activations: "f32" } as const;
    const fused = await programLogits(gpu, file, { ...run, fusion: "auto" }, steps);
    const plain = await programLogits(gpu, file, { ...run, fusion: "off" }, steps);
    for (const [step, logits] of fused.entries()) expect(relativeRms(logits, plain[step])).toBeLessThan(1e-5);
  });
  test("in half precision, which rounds what is not stored any more", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const adapter = await gpu.requestAdapter();
    if (!adapter?.features.has("shader-f16")) context.skip("this adapter has no shader-f16");
    for (const deviceClass of ["gpu", "cpu"] as const) {
      expect(await difference(gpu, { architecture: "qwen3" }, { deviceClass, activations: "f16" })).toBeLessThan(5e-3);
    }
  });
  test("in int8, where a rounding may fall the other way", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    for (const deviceClass of ["gpu", "cpu"] as const) {
      expect(await difference(gpu, { format: "q8_0" }, { deviceClass, activations: "int8" })).toBeLessThan(2e-2);
    }
  });
});

describe("greedy text", () => {
  for (const architecture of ["llama", "qwen2", "qwen3"] as const) {
    test(`${architecture}: the same with each choice of passes, and stats name them`, async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      const model = tinyModel({ architecture });
      const texts: number[][] = [];
      for (const fusion of ["auto", "off", ["qkv", "gate_up"]] as const) {
        const session = await loadSession({ model, gpu, deviceClass: "gpu", tuning: "off", execution: { fusion } });
        try {
          texts.push(await greedyIds(session, prompt.slice(0, 40), 24));
          const { fusion: named, dispatches, kernels, pipelines } = session.stats();
          expect(kernels.chosen.filter(({ checked }) => !checked)).toEqual([]);
          expect(pipelines).toBeLessThanOrEqual(30);
          expect(named.decode).toEqual(fusion === "auto" ? fusionNames : fusion === "off" ? [] : fusion);
          if (fusion === "auto") expect(dispatches.decode).toBeLessThanOrEqual(5 * 2 + 5);
        } finally {
          session.destroy();
        }
      }
      expect(texts[1]).toEqual(texts[0]);
      expect(texts[2]).toEqual(texts[0]);
    });
  }
});
