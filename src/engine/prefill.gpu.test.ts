// Prompts cut to a frame's budget: submits stay short, few are outstanding, an abort ends between them, and the text is that of one submit.

import { afterEach, expect, test } from "vitest";
import { greedySampling } from "../sampling/params.ts";
import { countGpuCalls } from "../testing/gpu_counters.ts";
import { gpuOrSkip, sharedGpuOrSkip } from "../testing/gpu.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { overlay, watchGpu } from "../testing/watched_gpu.ts";
import type { ExecutionOptions } from "./execution.ts";
import { loadSession } from "./load.ts";
import type { GenerateRequest, Session } from "./session.ts";

let stopCounting: (() => void) | undefined;
afterEach(() => {
  stopCounting?.();
  stopCounting = undefined;
});

/** Four layers, so that a chunk is many dispatches of some length. */
const model = (): Uint8Array<ArrayBuffer> => tinyModel({ layers: 4, hidden: 128, heads: 4, kvHeads: 2, ffn: 256, contextLength: 2048 });

function promptOf(length: number, first: number): number[] {
  return Array.from({ length }, (_, index) => (first + index * 37) % 256);
}

function request(promptIds: readonly number[], more: Partial<GenerateRequest> = {}): GenerateRequest {
  return { promptIds, maxTokens: 8, sampling: greedySampling, stopIds: new Set(), ...more };
}

async function idsOf(session: Session, wanted: GenerateRequest): Promise<number[]> {
  const ids: number[] = [];
  for await (const event of session.generate(wanted)) if (event.kind === "token") ids.push(event.id);
  return ids;
}

interface Submitted {
  readonly dispatches: number;
  /** From its start on the GPU to its end, as far as promises tell. */
  ms: number;
}

interface Watched {
  readonly session: Session;
  readonly submits: Submitted[];
  /** Most that were outstanding at once. */
  readonly most: () => number;
  /** Loses the device. */
  readonly lose: () => void;
  /** Is called when a submit was made. */
  onSubmit: () => void;
}

/** A session whose submits are watched. */
async function watchSubmits(gpu: GPU, execution: ExecutionOptions): Promise<Watched> {
  const submits: Submitted[] = [];
  let outstanding = 0;
  let most = 0;
  let lastDone = 0;
  let take: (() => number) | undefined;
  let result: Watched | undefined;
  const watched = await watchGpu(gpu, (device) => {
    const submit = (commands: GPUCommandBuffer[]): undefined => {
      const start = performance.now();
      const submitted = { dispatches: take?.() ?? 0, ms: 0 };
      device.queue.submit(commands);
      if (submitted.dispatches === 0) return;
      most = Math.max(most, ++outstanding);
      submits.push(submitted);
      result?.onSubmit();
      void device.queue.onSubmittedWorkDone().then(() => {
        outstanding--;
        submitted.ms = performance.now() - Math.max(start, lastDone);
        lastDone = performance.now();
      });
    };
    return { queue: overlay(device.queue, { submit }) };
  });
  const session = await loadSession({ model: model(), gpu: watched.gpu, execution, tuning: "off" });
  const counter = countGpuCalls(watched.device());
  stopCounting = () => counter.stop();
  take = () => counter.take().dispatch;
  result = { session, submits, most: () => most, lose: () => watched.device().destroy(), onSubmit: () => undefined };
  return result;
}

test("the text does not depend on the budget", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const texts: number[][] = [];
  for (const frameBudgetMs of [0, 1]) {
    const session = await loadSession({ model: model(), gpu, execution: { frameBudgetMs }, tuning: "off" });
    texts.push([...(await idsOf(session, request(promptOf(300, 1)))), ...(await idsOf(session, request(promptOf(260, 5))))]);
    expect(session.stats().prefillSubmits.count).toBeGreaterThanOrEqual(4);
    session.destroy();
  }
  for (const text of texts) expect(text).toEqual(texts[0]);
});

test("submits keep to the budget once something was measured, and two are outstanding", async (context) => {
  const frameBudgetMs = 20;
  const { session, submits, most } = await watchSubmits(await sharedGpuOrSkip(context), { frameBudgetMs, tokensInFlight: 1 });
  await idsOf(session, request(promptOf(600, 1), { maxTokens: 1 }));
  submits.length = 0;
  await idsOf(session, request(promptOf(600, 7), { maxTokens: 1 }));
  // A dispatch cannot be cut, and a machine that does other things makes any of them long.
  const cut = submits.filter(({ dispatches }) => dispatches > 1).map(({ ms }) => ms);
  const sorted = cut.toSorted((a, b) => a - b);
  expect(sorted.length).toBeGreaterThan(0);
  expect(sorted[sorted.length >> 1]).toBeLessThan(3 * frameBudgetMs);
  expect(sorted[Math.floor(0.8 * (sorted.length - 1))]).toBeLessThan(6 * frameBudgetMs);
  expect(most()).toBeLessThanOrEqual(2);
  session.destroy();
});

test("no budget: a submit for each 256 rows", async (context) => {
  const { session, submits } = await watchSubmits(await sharedGpuOrSkip(context), { frameBudgetMs: 0 });
  await idsOf(session, request(promptOf(600, 1), { maxTokens: 1 }));
  expect(submits).toHaveLength(3);
  session.destroy();
});

test("an abort ends between submits, and what was submitted whole is kept", async (context) => {
  const { session, submits } = await watchSubmits(await sharedGpuOrSkip(context), { frameBudgetMs: 1 });
  const prompt = promptOf(600, 3);
  await idsOf(session, request(promptOf(300, 9), { maxTokens: 1 }));
  const before = submits.length;
  const controller = new AbortController();
  const running = idsOf(session, request(prompt, { signal: controller.signal }));
  const timer = setInterval(() => {
    if (submits.length > before + 2) controller.abort();
  }, 1);
  await expect(running).rejects.toMatchObject({ code: "AbortError" });
  clearInterval(timer);
  const submitted = submits.length - before;
  const expected = await idsOf(session, request(prompt));
  expect(submits.length - before - submitted).toBeGreaterThan(submitted);
  const fresh = await loadSession({ model: model(), gpu: await sharedGpuOrSkip(context), tuning: "off" });
  expect(await idsOf(fresh, request(prompt))).toEqual(expected);
  fresh.destroy();
  session.destroy();
});

test("after an abort no other part of the same chunk is submitted", async (context) => {
  const chunkTokens = 32;
  const watched = await watchSubmits(await sharedGpuOrSkip(context), { chunkTokens, frameBudgetMs: 0.001 });
  const { session, submits } = watched;
  const prompt = promptOf(chunkTokens, 3);
  const expected = await idsOf(session, request(prompt, { maxTokens: 1 }));
  const whole = submits.length;
  expect(whole).toBeGreaterThan(10);
  for (const after of [1, 3, whole - 1]) {
    // Another one, of which nothing is cached.
    const other = promptOf(chunkTokens, 9 + after);
    submits.length = 0;
    const controller = new AbortController();
    watched.onSubmit = () => {
      if (submits.length === after) controller.abort();
    };
    await expect(idsOf(session, request(other, { signal: controller.signal }))).rejects.toMatchObject({ code: "AbortError" });
    expect(submits).toHaveLength(after);
  }
  watched.onSubmit = () => undefined;
  expect(await idsOf(session, request(prompt, { maxTokens: 1 }))).toEqual(expected);
  session.destroy();
});

test("a device lost while a prompt runs ends with GPU.lost", async (context) => {
  const { session, submits, lose } = await watchSubmits(await gpuOrSkip(context), { frameBudgetMs: 1 });
  const before = submits.length;
  const running = idsOf(session, request(promptOf(1200, 3)));
  const timer = setInterval(() => {
    if (submits.length > before + 2) lose();
  }, 1);
  await expect(running).rejects.toMatchObject({ code: "GPU.lost", retryable: true });
  clearInterval(timer);
  session.destroy();
});
