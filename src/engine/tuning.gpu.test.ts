// Races of a whole load: their results outlive it, and nothing of them stays on the GPU.

import { expect, test } from "vitest";
import { gpuOrSkip } from "../testing/gpu.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { watchGpu } from "../testing/watched_gpu.ts";
import { loadSession, type LoadSessionOptions } from "./load.ts";
import type { KernelReport, SessionStats, StoreOptions } from "./session.ts";

const model = tinyModel({ format: "q8_0", layers: 1 });

/** The browser's own store, or a new folder. */
async function storeHere(): Promise<StoreOptions> {
  if (typeof window !== "undefined") return {};
  const { mkdtemp } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  return { folder: await mkdtemp(`${tmpdir()}/shaderloom-tuning-`) };
}

async function load(options: Omit<LoadSessionOptions, "model">): Promise<{ readonly stats: SessionStats }> {
  const session = await loadSession({ model, ...options });
  const stats = session.stats();
  session.destroy();
  return { stats };
}

const hows = ({ chosen }: KernelReport): Set<string> => new Set(chosen.filter(({ kernel }) => kernel === "linear").map(({ how }) => how));

test("what a race found is used by the next load", async (context) => {
  const gpu = await gpuOrSkip(context);
  const store = await storeHere();
  const raced = await load({ gpu, store, tuning: "race", deviceClass: "cpu" });
  expect(hows(raced.stats.kernels)).toContain("raced");
  const again = await load({ gpu, store, tuning: "race", deviceClass: "cpu" });
  expect(hows(again.stats.kernels)).toContain("stored");
  // What found no time in the first load races in the second.
  const winners = raced.stats.kernels.chosen.filter(({ how }) => how === "raced");
  for (const won of winners) {
    const { variant, how } = again.stats.kernels.chosen.find((one) => one.class === won.class) ?? {};
    expect({ variant, how }).toEqual({ variant: won.variant, how: "stored" });
  }
  for (const { stats } of [raced, again]) {
    expect(stats.kernels.dropped).toEqual([]);
    expect(stats.kernels.chosen.every(({ checked }) => checked)).toBe(true);
    expect(stats.gpuBytes).toEqual({ ...raced.stats.gpuBytes, peak: expect.any(Number) });
  }
});

test("a kernel that works nowhere fails the load by name", async (context) => {
  const watched = await watchGpu(await gpuOrSkip(context), (device) => ({
    createComputePipelineAsync: async (descriptor) => {
      if (descriptor.label?.startsWith("glu")) throw new Error("not today");
      return device.createComputePipelineAsync(descriptor);
    },
  }));
  await expect(loadSession({ model, gpu: watched.gpu })).rejects.toMatchObject({ code: "GPU.selftest", detail: { kernel: "glu" } });
});
