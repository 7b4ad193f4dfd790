// Profiles on a device: every dispatch has a time, the session is as exact after one as before, and whoever asks for none pays nothing.

import { afterEach, describe, expect, test } from "vitest";
import { greedySampling } from "../sampling/params.ts";
import { countGpuCalls } from "../testing/gpu_counters.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { errorCode } from "../testing/typed_error.ts";
import { overlay, watchGpu } from "../testing/watched_gpu.ts";
import { loadSession, type LoadSessionOptions } from "./load.ts";
import type { Profile, Session } from "./session.ts";

const open: Session[] = [];
const restore: Array<() => void> = [];
afterEach(() => {
  for (const stop of restore.splice(0)) stop();
  for (const session of open.splice(0)) session.destroy();
});

async function load(gpu: GPU, options: Partial<LoadSessionOptions> = {}): Promise<Session> {
  const session = await loadSession({ model: tinyModel({ contextLength: 512 }), gpu, ...options });
  open.push(session);
  return session;
}

const promptIds = Array.from({ length: 70 }, (_, index) => 60 + (index % 40));
const sampled = { ...greedySampling, temperature: 0.9, topK: 40, repetitionPenalty: 1.1, seed: 5 };

async function generated(session: Session, sampling = greedySampling): Promise<{ ids: number[]; cached: number }> {
  const ids: number[] = [];
  let cached = 0;
  for await (const event of session.generate({ promptIds, maxTokens: 12, sampling, stopIds: new Set() })) {
    if (event.kind === "prompt") cached = event.cachedTokens;
    if (event.kind === "token") ids.push(event.id);
  }
  return { ids, cached };
}

function expectProfile({ steps, table, trace, ...facts }: Profile, dispatches: { decode: number; prefill: number }): void {
  const rates = [facts.copyBytesPerSecond, facts.macsPerSecond, facts.quantumMs];
  expect(rates.filter((rate) => !(rate > 0 && Number.isFinite(rate)))).toEqual([]);
  expect(steps.map(({ phase }) => phase)).toEqual(["decode", "prefill"]);
  for (const { phase, totalMs, encodeMs, dispatches: found } of steps) {
    expect(found).toHaveLength(dispatches[phase]);
    expect(totalMs).toBeGreaterThan(0);
    expect(encodeMs).toBeGreaterThan(0);
    for (const { name, kernel, variant, ms, bytes, bandwidthShare, computeShare } of found) {
      expect(variant.startsWith(kernel) || kernel === "linear", `${variant} of ${kernel}`).toBe(true);
      expect(ms, name).toBeGreaterThan(0);
      expect(ms, name).toBeLessThan(10_000);
      expect(bytes, name).toBeGreaterThan(0);
      for (const share of [bandwidthShare, computeShare]) expect(share >= 0 && Number.isFinite(share), `${name}: ${share}`).toBe(true);
      expect(table).toContain(name);
    }
    // Dispatches by themselves take no less than together, but for what a cache keeps between repeats; both are of one machine.
    const sum = found.reduce((total, { ms }) => total + ms, 0);
    expect(sum).toBeGreaterThan(totalMs / 20);
    expect(sum).toBeLessThan(totalMs * 20);
  }
  const events = trace.traceEvents.filter(({ ph }) => ph === "X");
  expect(events).toHaveLength(dispatches.decode + dispatches.prefill);
  expect(structuredClone({ steps, table, trace, ...facts })).toEqual({ steps, table, trace, ...facts });
}

/** What a session asks of its device: making, writing and submitting, and to be told of the end, which is not told before it is let go. */
async function heldBack(gpu: GPU): Promise<{ gpu: GPU; asked: string[]; hold: () => () => void }> {
  const asked: string[] = [];
  let held: Promise<void> | undefined;
  const noted = <T extends object>(target: T, names: ReadonlyArray<keyof T & string>): Partial<T> =>
    Object.fromEntries(
      names.map((name) => [
        name,
        (...args: unknown[]): unknown => {
          asked.push(name);
          return (target[name] as (...given: unknown[]) => unknown).apply(target, args);
        },
      ]),
    ) as Partial<T>;
  const watched = await watchGpu(gpu, (device) => ({
    ...noted(device, ["createBuffer", "createCommandEncoder", "createShaderModule", "createQuerySet"]),
    queue: overlay(device.queue, {
      ...noted(device.queue, ["submit", "writeBuffer"]),
      async onSubmittedWorkDone() {
        asked.push("end");
        await device.queue.onSubmittedWorkDone();
        await held;
        return undefined;
      },
    }),
  }));
  const hold = (): (() => void) => {
    let release: (() => void) | undefined;
    held = new Promise((resolve) => (release = resolve));
    asked.length = 0;
    return () => {
      asked.push("let go");
      release?.();
    };
  };
  return { gpu: watched.gpu, asked, hold };
}

const alone: Array<[name: string, run: (session: Session, signal: AbortSignal) => Promise<unknown>]> = [
  ["a profile", (session, signal) => session.profile({ signal })],
  ["a race of kernels", (session, signal) => session.tune({ signal })],
];
for (const [name, run] of alone) {
  test(`${name} begins when what a request left in flight has ended`, async (context) => {
    const { gpu, asked, hold } = await heldBack(await sharedGpuOrSkip(context));
    const session = await load(gpu, { tuning: "off", execution: { tokensInFlight: 8 } });
    let given = 0;
    for await (const { kind } of session.generate({ promptIds, maxTokens: 50, sampling: greedySampling, stopIds: new Set() })) {
      if (kind === "token" && ++given === 2) break;
    }
    expect(session.stats().discardedTokens).toBeGreaterThan(0);
    const letGo = hold();
    const stop = new AbortController();
    const code = errorCode(run(session, stop.signal));
    await expect.poll(() => asked, { timeout: 20_000 }).not.toEqual([]);
    await new Promise((resolve) => void setTimeout(resolve, 50));
    expect(asked).toEqual(["end"]);
    letGo();
    await expect.poll(() => asked.length, { timeout: 20_000 }).toBeGreaterThan(2);
    stop.abort();
    expect(await code).toBe("AbortError");
  });
}

describe("a profile", () => {
  test("times every dispatch of both steps, and leaves text, pages and memory as they were", async (context) => {
    const session = await load(await sharedGpuOrSkip(context));
    const before = await generated(session);
    const seeded = await generated(session, sampled);
    const { dispatches, gpuBytes, kvPages } = session.stats();
    const profile = await session.profile();
    expectProfile(profile, dispatches);
    expect(profile.steps).toMatchObject([
      { phase: "decode", rows: 1, contextTokens: 256 },
      { phase: "prefill", rows: 256, contextTokens: 256 },
    ]);
    expect(session.stats().gpuBytes).toEqual({ ...gpuBytes, peak: expect.any(Number) });
    // The last request's pages are kept for others.
    expect(session.stats().kvPages).toEqual({ ...kvPages, cached: kvPages.used });
    expect(await generated(session)).toEqual({ ids: before.ids, cached: expect.any(Number) });
    expect((await generated(session, sampled)).ids).toEqual(seeded.ids);
  });

  test("profiles where it is told to, in any precision", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const half = (await gpu.requestAdapter())?.features.has("shader-f16") ?? false;
    for (const activations of ["int8", ...(half ? (["f16"] as const) : [])] as const) {
      const session = await load(gpu, { activations });
      const profile = await session.profile({ tokens: 1, promptTokens: 3 });
      expectProfile(profile, session.stats().dispatches);
      expect(profile.activations).toBe(activations);
      expect(profile.steps.map(({ rows, contextTokens }) => [rows, contextTokens])).toEqual([
        [1, 1],
        [3, 3],
      ]);
    }
  });

  test("takes the wall clock where there are no timestamps, and says so", async (context) => {
    const { gpu } = await watchGpu(await sharedGpuOrSkip(context), () => ({ features: new Set() as unknown as GPUSupportedFeatures }));
    const session = await load(gpu);
    const before = await generated(session);
    const profile = await session.profile({ tokens: 40, promptTokens: 40 });
    expect(profile.timestamps).toBe(false);
    expect(profile.table).toContain("The wall clock");
    expectProfile(profile, session.stats().dispatches);
    expect((await generated(session)).ids).toEqual(before.ids);
  });

  test("ends when it is aborted, and the session goes on", async (context) => {
    const session = await load(await sharedGpuOrSkip(context));
    const before = await generated(session);
    const { gpuBytes } = session.stats();
    for (const delay of [0, 20, 150]) {
      const stop = new AbortController();
      const profiling = session.profile({ signal: stop.signal });
      setTimeout(() => stop.abort(), delay);
      expect(await errorCode(profiling)).toBe("AbortError");
      expect(session.stats().gpuBytes).toEqual({ ...gpuBytes, peak: expect.any(Number) });
      expect((await generated(session)).ids).toEqual(before.ids);
    }
  });

  test("costs nothing where it is not asked for", async (context) => {
    const watched = await watchGpu(await sharedGpuOrSkip(context));
    const session = await load(watched.gpu, { tuning: "off" });
    const counter = countGpuCalls(watched.device());
    restore.push(() => counter.stop());
    await generated(session);
    expect(counter.take()).toMatchObject({ createQuerySet: 0, timedPasses: 0, createComputePipeline: 0 });
    const { timestamps } = await session.profile({ tokens: 8, promptTokens: 8 });
    const profiling = counter.take();
    expect(profiling.createQuerySet).toBe(timestamps ? 1 : 0);
    expect(profiling.timedPasses > 0).toBe(timestamps);
    await generated(session);
    expect(counter.take()).toMatchObject({ createQuerySet: 0, timedPasses: 0, createComputePipeline: 0 });
  });
});
