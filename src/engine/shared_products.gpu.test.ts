// Models whose types change from layer to layer, whose products share pipelines: log-probabilities against the interpreter, in both
// programs, and a load with its checks and the bytes that were foretold.

import { describe, expect, test } from "vitest";
import { openDevice } from "../gpu/device.ts";
import { fakeProbe } from "../testing/fake_probe.ts";
import { sharedGpuOrSkip, type Skipper } from "../testing/gpu.ts";
import { interpretedLogits } from "../testing/interpreted.ts";
import { mixed, mixedRecipes } from "../testing/model_header.ts";
import { lastLogprobs, relativeRms } from "../testing/oracle.ts";
import { programLogits } from "../testing/program_logits.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { estimateSession } from "./estimate.ts";
import { loadSession } from "./load.ts";

const format = mixed(mixedRecipes.four);

/** Of a matrix by its whole name, `blk.3.attn_q`. */
function formatOf(name: string): string {
  const [, layer = "-1", matrix = name] = /^blk\.(\d+)\.(.*)$/.exec(name) ?? [];
  return format(matrix, Number(layer));
}

const prompt: readonly number[] = [72, 101, 108, 108, 111, 44, 32, 119, 111, 114, 108, 100];
const decoded: readonly number[] = [33, 72];

/** Queries wider than what is read, so that rows of many lengths share a product; Qwen2 has biases, too. */
function modelOf(architecture: "llama" | "qwen2" | "qwen3"): Uint8Array<ArrayBuffer> {
  const shape = { hidden: 256, heads: 4, kvHeads: 2, ffn: 512, layers: 4 } as const;
  return tinyModel({ architecture, ...shape, format: formatOf, seed: 5 });
}

async function expectInterpreted(context: Skipper, file: Uint8Array<ArrayBuffer>, deviceClass: "cpu" | "gpu"): Promise<void> {
  const gpu = await sharedGpuOrSkip(context);
  const opened = await openDevice(gpu);
  const { caps } = opened;
  opened.destroy();
  const found = await programLogits(gpu, file, { deviceClass, activations: "f32", fusion: "auto" }, { prompt, decoded });
  for (const [step, logits] of found.entries()) {
    const expected = await interpretedLogits(file, [...prompt, ...decoded.slice(0, step)], caps);
    expect(relativeRms(logits, [...expected]), `step ${step}`).toBeLessThanOrEqual(1e-4);
  }
}

describe("logits equal the interpreter's", () => {
  for (const architecture of ["llama", "qwen2", "qwen3"] as const) {
    for (const deviceClass of architecture === "qwen2" ? (["cpu", "gpu"] as const) : (["cpu"] as const)) {
      test(`${architecture} on the ${deviceClass} program`, async (context) => {
        await expectInterpreted(context, modelOf(architecture), deviceClass);
      });
    }
  }
});

test("a load checks its products one by one, has at most 30 pipelines and the bytes that were foretold", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const model = modelOf("qwen2");
  const opened = await openDevice(gpu, { deviceClass: "cpu" });
  const expected = await interpretedLogits(model, prompt, opened.caps);
  opened.destroy();
  const probe = fakeProbe({ adapter: { ...fakeProbe().adapter, deviceClass: "cpu" } });
  const verdict = await estimateSession({ model, gpu, probe, deviceClass: "cpu" });
  const session = await loadSession({ model, gpu, deviceClass: "cpu", tuning: "off" });
  try {
    const { pipelines, kernels, gpuBytes } = session.stats();
    expect(pipelines).toBeLessThanOrEqual(30);
    expect(kernels.dropped).toEqual([]);
    expect(kernels.chosen.filter(({ checked }) => !checked)).toEqual([]);
    expect(kernels.chosen.some(({ variant }) => variant.includes("/shared/"))).toBe(true);
    expect(gpuBytes.total).toBe(verdict.gpu.atLoad);
    expect(relativeRms(await lastLogprobs(session, prompt), [...expected])).toBeLessThanOrEqual(1e-4);
  } finally {
    session.destroy();
  }
});
