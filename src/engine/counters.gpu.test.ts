// What a steady decode step may cost (decision 1), counted on the real calls.

import { afterEach, expect, test } from "vitest";
import { greedySampling } from "../sampling/params.ts";
import { countGpuCalls } from "../testing/gpu_counters.ts";
import { gpuOrSkip } from "../testing/gpu.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { watchGpu } from "../testing/watched_gpu.ts";
import { loadSession } from "./load.ts";

let stopCounting: (() => void) | undefined;
afterEach(() => {
  stopCounting?.();
  stopCounting = undefined;
});

/** Counts of each token's step, prefill first, over 80 tokens: two page borders and no growth. */
async function countSteps(gpu: GPU, sampled: boolean): Promise<ReturnType<ReturnType<typeof countGpuCalls>["take"]>[]> {
  const watched = await watchGpu(gpu);
  const session = await loadSession({ model: tinyModel(), gpu: watched.gpu });
  const device = watched.device();
  expect(device.limits.maxStorageBuffersPerShaderStage).toBe(8);
  const counter = countGpuCalls(device);
  stopCounting = () => counter.stop();
  const steps = [];
  const sampling = sampled ? { ...greedySampling, temperature: 0.8, seed: 3 } : greedySampling;
  for await (const event of session.generate({ promptIds: [1, 2, 3], maxTokens: 80, sampling, stopIds: new Set() })) {
    if (event.kind === "token") steps.push(counter.take());
  }
  session.destroy();
  return steps;
}

test("a greedy decode step is one pass, one submit, nothing created, at most one write and 16 bytes read", async (context) => {
  const steps = await countSteps(await gpuOrSkip(context), false);
  expect(steps).toHaveLength(80);
  // The first token comes from prefill, the second warms the decode ring.
  for (const counts of steps.slice(2)) {
    expect(counts).toMatchObject({ createBuffer: 0, createBindGroup: 0, createComputePipeline: 0, submit: 1, beginComputePass: 1 });
    expect(counts.writeBuffer).toBeLessThanOrEqual(1);
    expect(counts.readBytes).toBeLessThanOrEqual(16);
    expect(counts.dispatch).toBeGreaterThan(0);
  }
  // The GPU advances its own state: only a new page needs a write.
  expect(steps.slice(2).reduce((sum, counts) => sum + counts.writeBuffer, 0)).toBeLessThanOrEqual(3);
});

test("a sampled decode step creates nothing and writes once", async (context) => {
  const steps = await countSteps(await gpuOrSkip(context), true);
  for (const counts of steps.slice(2)) {
    expect(counts).toMatchObject({ createBuffer: 0, createBindGroup: 0, createComputePipeline: 0, submit: 1, beginComputePass: 1 });
    expect(counts.writeBuffer).toBeLessThanOrEqual(1);
  }
});
