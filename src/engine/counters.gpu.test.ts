// What a steady decode step may cost (decision 1), counted on the real calls.

import { afterEach, expect, test } from "vitest";
import { greedySampling, type SamplingParams } from "../sampling/params.ts";
import { countGpuCalls, type GpuCounts } from "../testing/gpu_counters.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { watchGpu } from "../testing/watched_gpu.ts";
import type { ExecutionOptions } from "./execution.ts";
import { loadSession, type LoadSessionOptions } from "./load.ts";

let stopCounting: (() => void) | undefined;
afterEach(() => {
  stopCounting?.();
  stopCounting = undefined;
});

/** Tokens between which nothing begins and nothing ends. */
const steady = { from: 20, to: 70 };

interface Counted {
  /** Counts of a step between two tokens in the middle of the answer. */
  readonly steps: readonly GpuCounts[];
  /** From the first of these to the last. */
  readonly total: GpuCounts;
  /** Of a step, as stats tell. */
  readonly dispatches: number;
}

/** Counts over 80 tokens: two page borders and no growth. */
async function countSteps(gpu: GPU, sampling: SamplingParams, execution: ExecutionOptions = {}): Promise<Counted> {
  return countStepsOf(gpu, sampling, { model: tinyModel(), execution });
}

async function countStepsOf(gpu: GPU, sampling: SamplingParams, options: LoadSessionOptions): Promise<Counted> {
  const watched = await watchGpu(gpu);
  const session = await loadSession({ ...options, gpu: watched.gpu });
  const device = watched.device();
  expect(device.limits.maxStorageBuffersPerShaderStage).toBe(8);
  const counter = countGpuCalls(device);
  stopCounting = () => counter.stop();
  const steps: GpuCounts[] = [];
  for await (const event of session.generate({ promptIds: [1, 2, 3], maxTokens: 80, sampling, stopIds: new Set() })) {
    if (event.kind === "token") steps.push(counter.take());
  }
  const { dispatches } = session.stats();
  session.destroy();
  expect(steps).toHaveLength(80);
  const middle = steps.slice(steady.from, steady.to);
  return { steps: middle, total: middle.reduce(sum), dispatches: dispatches.decode };
}

function sum(a: GpuCounts, b: GpuCounts): GpuCounts {
  return Object.fromEntries(Object.entries(a).map(([name, count]) => [name, count + b[name as keyof GpuCounts]])) as unknown as GpuCounts;
}

const sampled = { ...greedySampling, temperature: 0.8, topP: 0.9, frequencyPenalty: 0.5, seed: 3 };

for (const tokensInFlight of [1, 4]) {
  for (const [name, sampling] of [["greedy", greedySampling] as const, ["sampled", sampled] as const]) {
    test(`${tokensInFlight} in flight: a ${name} step is one pass, one submit, nothing created, 4 bytes read`, async (context) => {
      const { steps, total } = await countSteps(await sharedGpuOrSkip(context), sampling, { tokensInFlight });
      for (const counts of steps) {
        expect(counts).toMatchObject({ created: 0, submit: 1, beginComputePass: 1, createCommandEncoder: 1 });
        expect(counts.writeBuffer).toBeLessThanOrEqual(1);
        expect(counts.dispatch).toBeGreaterThan(0);
      }
      // Results land between two tokens by the GPU's clock, not by ours.
      expect(total.readBytes).toBeLessThanOrEqual(4 * (steps.length + tokensInFlight));
      // The GPU advances its own state: only a new page needs a write.
      expect(total.writeBuffer).toBeLessThanOrEqual(2);
    });
  }
}

test("a step whose token the CPU chooses creates nothing and writes once", async (context) => {
  const { steps } = await countSteps(await sharedGpuOrSkip(context), sampled, { sampler: "cpu" });
  for (const counts of steps) {
    expect(counts).toMatchObject({ created: 0, submit: 1, beginComputePass: 1, createCommandEncoder: 1 });
    expect(counts.writeBuffer).toBeLessThanOrEqual(1);
  }
});

const layers = 3;
for (const architecture of ["llama", "qwen2", "qwen3"] as const) {
  test(`${architecture} in the GPU program: at most five dispatches a layer and five, six where all logits are looked at`, async (context) => {
    const model = tinyModel({ architecture, layers });
    const execution = { tokensInFlight: 3 };
    // Checks of kernels are no part of a step, and take software adapters long.
    const options: LoadSessionOptions = { model, deviceClass: "gpu", tuning: "off", execution };
    const gpu = await sharedGpuOrSkip(context);
    for (const [sampling, more] of [[greedySampling, 0] as const, [sampled, 1] as const]) {
      const { steps, total, dispatches } = await countStepsOf(gpu, sampling, options);
      expect(dispatches).toBeLessThanOrEqual(5 * layers + 5);
      for (const counts of steps) {
        expect(counts).toMatchObject({ created: 0, submit: 1, beginComputePass: 1, dispatch: dispatches + more });
        expect(counts.writeBuffer).toBeLessThanOrEqual(1);
      }
      expect(total.readBytes).toBeLessThanOrEqual(4 * (steps.length + 3));
      expect(total.writeBuffer).toBeLessThanOrEqual(2);
    }
  });
}
