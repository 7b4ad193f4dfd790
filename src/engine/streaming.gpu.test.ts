// A model whose layers are streamed says what it says when all of it is on the GPU: the same logits to the bit, the same text under every
// setting, in the memory that it was given.

import { describe, expect, test } from "vitest";
import { allPairs } from "../testing/all_pairs.ts";
import { gpuOrSkip, sharedGpuOrSkip } from "../testing/gpu.ts";
import {
  chunkyModel,
  countGpu,
  idsOf,
  layeredModel,
  leastBudget,
  logprobsOf,
  openSession,
  promptOf,
  request,
  streamingOf,
  wholeBytes,
  withSession,
} from "../testing/streamed_session.ts";
import { openThrottledStore } from "../testing/throttled_store.ts";
import type { ExecutionOptions } from "./execution.ts";

/** Layers of different types, and a type of its own in some. */
function mixed(name: string): string {
  if (/blk\.[03]\./.test(name)) return "q8_0";
  return name.includes("ffn_down") ? "q4_0" : "f16";
}

/** Models, and bindings so small that some of their matrices are split. */
const models = {
  f32: { make: () => layeredModel({ layers: 5, hidden: 128 }), maxBindingBytes: 100 << 10 },
  mixed: { make: () => layeredModel({ layers: 5, hidden: 128, format: mixed, ffn: 192 }), maxBindingBytes: 52 << 10 },
  qwen2: {
    make: () => layeredModel({ layers: 5, hidden: 128, architecture: "qwen2", format: "q8_0", ffn: 192 }),
    maxBindingBytes: 28 << 10,
  },
  qwen3: { make: () => layeredModel({ layers: 5, hidden: 128, architecture: "qwen3" }), maxBindingBytes: 100 << 10 },
  chunky: { make: chunkyModel, maxBindingBytes: 2 << 20 },
} as const;

describe("the same logits to the bit", () => {
  const rows = allPairs({
    model: ["f32", "mixed", "qwen2", "qwen3", "chunky"],
    activations: ["f32", "f16", "int8"],
    deviceClass: ["cpu", "gpu"],
    fusion: ["auto", "off"],
    split: [false, true],
  } as const);
  for (const { model, fusion, split, ...load } of rows) {
    test(`${model}, ${load.activations}, ${load.deviceClass}, fusion ${fusion}${split ? ", split" : ""}`, async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      const adapter = await gpu.requestAdapter();
      if (load.activations === "f16" && !adapter?.features.has("shader-f16")) context.skip("this adapter has no shader-f16");
      const { make, maxBindingBytes } = models[model];
      const how = { ...load, ...(split && { maxBindingBytes }), execution: { fusion } };
      // Pages have to fit such bindings, too.
      const options = { ...how, model: make(), gpu, contextLength: split && model !== "chunky" ? 32 : 128 };
      const prompt = promptOf(options.contextLength - 10);
      const expected = await withSession(options, (session) => logprobsOf(session, prompt, 4));
      const memoryBudget = await leastBudget(options);
      await withSession({ ...options, memoryBudget }, async (session) => {
        expect(streamingOf(session)).toMatchObject({ resident: 0, frames: 1 });
        expect(await logprobsOf(session, prompt, 4)).toEqual(expected);
      });
    });
  }
});

describe("the same text under every setting", () => {
  const model = layeredModel({ layers: 7 });
  const texts = (options: { gpu: GPU; execution?: ExecutionOptions; memoryBudget?: number }): Promise<number[][]> =>
    withSession({ model, contextLength: 512, ...options }, async (session) => [
      await idsOf(session, request(promptOf(70), 24)),
      // A cached prefix, then another prompt.
      await idsOf(session, request([...promptOf(70), 5, 6], 9)),
      await idsOf(session, request(promptOf(300, 7), 12)),
    ]);
  let known: { readonly expected: number[][]; readonly least: number; readonly whole: number } | undefined;
  const rows = allPairs(
    {
      room: ["least", "half", "nearly all"],
      residentLayers: [0, 1, 2, 3, 4, 5, 6, 7, undefined],
      prefetchLayers: [0.1, 0.5, 1, 3, undefined],
      tokensInFlight: [1, 2, 8],
      chunkTokens: [1, 7, 32, 256],
      sampler: ["gpu", "cpu"],
    } as const,
    ({ chunkTokens, room }) => chunkTokens !== 1 || room !== "least",
  );
  for (const { room, ...execution } of rows) {
    test(`${room}: ${JSON.stringify(execution)}`, async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      const options = { model, gpu, contextLength: 512 };
      known ??= { expected: await texts({ gpu }), least: await leastBudget(options), whole: await wholeBytes(options) };
      const { least, whole, expected } = known;
      const memoryBudget = { least, half: Math.ceil((least + whole) / 2), "nearly all": whole - 1 }[room];
      // What is forced may need more than there is.
      const found = await texts({ gpu, execution, memoryBudget }).catch((error: unknown) => error);
      if (found instanceof Error) expect(found).toMatchObject({ code: "GPU.budget", detail: { have: memoryBudget } });
      else expect(found).toEqual(expected);
    });
  }
});

describe("few layers", () => {
  for (const layers of [1, 2, 3]) {
    test(`${layers}`, async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      const options = { model: layeredModel({ layers }), gpu, contextLength: 128 };
      const expected = await withSession(options, (session) => idsOf(session, request(promptOf(20), 12)));
      const [least, whole] = [await leastBudget(options), await wholeBytes(options)];
      for (const memoryBudget of new Set([least, Math.min(least + 1000, whole), whole - 1, whole])) {
        if (memoryBudget < least) continue;
        const found = await withSession({ ...options, memoryBudget }, async (session) => {
          expect(session.stats().streaming === null, `${memoryBudget}`).toBe(memoryBudget === whole);
          return idsOf(session, request(promptOf(20), 12));
        });
        expect(found, `${memoryBudget}`).toEqual(expected);
      }
    });
  }
});

describe("the budget", () => {
  test("is never exceeded, by whatever counts: load, prompts, answers, scores, a profile", async (context) => {
    const counted = countGpu(await gpuOrSkip(context));
    const options = { model: layeredModel(), gpu: counted.gpu, contextLength: 1024 };
    const memoryBudget = (await leastBudget(options)) + 100_000;
    await withSession({ ...options, memoryBudget }, async (session) => {
      expect(await idsOf(session, request(promptOf(600), 30))).toHaveLength(30);
      for await (const event of session.generate(request(promptOf(40, 3), 3, { logprobs: 5, promptLogprobs: 5 })))
        expect(event.kind).toBeDefined();
      await logprobsOf(session, promptOf(30, 9), 2);
      // What the adapter's best is measured with takes more than is left.
      await expect(session.profile({ tokens: 2, promptTokens: 16 })).rejects.toMatchObject({ code: "GPU.oom" });
      expect(await idsOf(session, request(promptOf(700, 2), 3))).toHaveLength(3);
      const { total, peak } = session.stats().gpuBytes;
      expect(peak).toBeLessThanOrEqual(memoryBudget);
      expect(total).toBeLessThanOrEqual(peak);
    });
    expect(counted.peak(), counted.held()).toBeLessThanOrEqual(memoryBudget);
  });

  test("a load with races keeps to it, too", async (context) => {
    const counted = countGpu(await gpuOrSkip(context));
    const options = { model: layeredModel({ format: "q8_0", ffn: 192 }), gpu: counted.gpu, contextLength: 128 };
    const memoryBudget = await leastBudget(options);
    const session = await openSession({ ...options, memoryBudget, tuning: "race" });
    expect(await idsOf(session, request(promptOf(20), 5))).toHaveLength(5);
    await expect(session.tune()).rejects.toMatchObject({ code: "REQUEST.tune" });
    expect(session.stats().gpuBytes.peak).toBeLessThanOrEqual(memoryBudget);
    session.destroy();
    expect(counted.peak(), counted.held()).toBeLessThanOrEqual(memoryBudget);
  });

  test("the least that works works, and one byte less says so", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const options = { model: layeredModel(), gpu, contextLength: 256 };
    const need = await leastBudget(options);
    const failure = { code: "GPU.budget", detail: { need, have: need - 1 }, message: expect.stringContaining(String(need)) };
    await expect(openSession({ ...options, memoryBudget: need - 1 })).rejects.toMatchObject(failure);
    await withSession({ ...options, memoryBudget: need }, async (session) => {
      expect(await idsOf(session, request(promptOf(9), 3))).toHaveLength(3);
    });
  });

  test("what fits is loaded as always, with pages for the whole context", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const options = { model: layeredModel(), gpu, contextLength: 1024 };
    const memoryBudget = await wholeBytes(options);
    await withSession({ ...options, memoryBudget }, async (session) => {
      await idsOf(session, request(promptOf(700), 3));
      expect(session.stats()).toMatchObject({ streaming: null, kvPages: { capacity: 32, growths: 0 } });
    });
    await withSession({ ...options, memoryBudget: memoryBudget - 1 }, async (session) => {
      expect(streamingOf(session).streamed).toBeGreaterThan(0);
      await idsOf(session, request(promptOf(700), 3));
      expect(session.stats().kvPages).toMatchObject({ capacity: 32, growths: 0 });
    });
  });
});

describe("what is read", () => {
  test("a prompt's chunk and a token read each streamed byte once", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const options = { model: layeredModel({ contextLength: 1024 }), gpu, contextLength: 1024 };
    const memoryBudget = await leastBudget(options);
    const { store, counts } = openThrottledStore();
    await withSession({ ...options, memoryBudget, imageStore: store }, async (session) => {
      const { bytesPerStep, streamed, image } = streamingOf(session);
      expect(streamed).toBe(6);
      expect(bytesPerStep).toBe(image.bytes);
      let [bytes, read] = [streamingOf(session).bytes, counts().bytesRead];
      for (const [index, [tokens, answer, passes]] of (
        [
          [256, 1, 1],
          [512, 1, 2],
          [100, 1, 1],
          [3, 6, 6],
        ] as const
      ).entries()) {
        await idsOf(session, request(promptOf(tokens, 20 + index), answer));
        const after = streamingOf(session).bytes;
        // What is read ahead of the next step is copied when the frame is free: at most a frame's worth.
        const ahead = (streamingOf(session).frames * bytesPerStep) / streamed;
        expect(after - bytes, `${tokens} tokens`).toBeGreaterThanOrEqual(passes * bytesPerStep - ahead);
        expect(after - bytes, `${tokens} tokens`).toBeLessThanOrEqual(passes * bytesPerStep + ahead);
        expect(counts().bytesRead - read, `${tokens} tokens`).toBeLessThanOrEqual(
          passes * bytesPerStep + ahead + streamingOf(session).stagingBytes,
        );
        [bytes, read] = [after, counts().bytesRead];
      }
    });
  });

  test("the next load reads the image that is there, and another layout makes another", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const { make, maxBindingBytes } = models.qwen2;
    const options = { model: make(), gpu, contextLength: 32 };
    const memoryBudget = await leastBudget(options);
    const { store, counts } = openThrottledStore();
    const text = (more: { maxBindingBytes?: number } = {}): Promise<number[]> =>
      withSession({ ...options, ...more, memoryBudget: memoryBudget + 50_000, imageStore: store }, (session) =>
        idsOf(session, request(promptOf(20), 8)),
      );
    const expected = await text();
    const { puts } = counts();
    expect(puts).toBeGreaterThan(0);
    expect(await text()).toEqual(expected);
    expect(counts().puts).toBe(puts);
    expect(await text({ maxBindingBytes })).toEqual(expected);
    expect(counts().puts).toBeGreaterThan(puts);
    // The older image is gone: the first layout has to be written again.
    const again = counts().puts;
    expect(await text()).toEqual(expected);
    expect(counts().puts).toBeGreaterThan(again);
  });

  test("a slow store shows in the time that tokens waited", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const options = { model: layeredModel(), gpu, contextLength: 128 };
    const memoryBudget = await leastBudget(options);
    const { store, disk } = openThrottledStore();
    await withSession({ ...options, memoryBudget, imageStore: store }, async (session) => {
      const { bytesPerStep } = streamingOf(session);
      // 100 ms a step.
      disk.bytesPerSecond = bytesPerStep * 10;
      const start = performance.now();
      await idsOf(session, request(promptOf(5), 6));
      expect(performance.now() - start).toBeGreaterThan(450);
      const { stallMsPerToken, readBytesPerSecond } = streamingOf(session);
      expect(stallMsPerToken).toBeGreaterThan(20);
      expect(stallMsPerToken).toBeLessThan(200);
      expect(readBytesPerSecond).toBeGreaterThan(0);
    });
  });
});
