// What a session promises beyond right logits: the same text however a prompt is cut, reused or grown into, aborts that leave
// it usable, failures that are typed and free everything.

import { describe, expect, test } from "vitest";
import { greedySampling } from "../sampling/params.ts";
import { gpuOrSkip, sharedGpuOrSkip } from "../testing/gpu.ts";
import { greedyIds } from "../testing/oracle.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { watchGpu } from "../testing/watched_gpu.ts";
import { loadSession } from "./load.ts";
import type { GenerateEvent, GenerateRequest, Session } from "./session.ts";

function promptOf(length: number): number[] {
  return Array.from({ length }, (_, index) => (index * 37 + 11) % 256);
}

function request(promptIds: number[], maxTokens: number, more: Partial<GenerateRequest> = {}): GenerateRequest {
  return { promptIds, maxTokens, sampling: greedySampling, stopIds: new Set(), ...more };
}

async function collect(session: Session, wanted: GenerateRequest): Promise<GenerateEvent[]> {
  const events: GenerateEvent[] = [];
  for await (const event of session.generate(wanted)) events.push(event);
  return events;
}

async function withSession<T>(gpu: GPU, options: { contextLength?: number }, use: (session: Session) => Promise<T>): Promise<T> {
  const session = await loadSession({ model: tinyModel({ contextLength: 1024 }), gpu, ...options });
  try {
    return await use(session);
  } finally {
    session.destroy();
  }
}

test("the same ids follow a prompt that is new, reused, or reached after the pools grew", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  // 600 tokens: three prefill chunks, and one growth of the pools from 512.
  const prompt = promptOf(600);
  const fresh = await withSession(gpu, { contextLength: 1024 }, (session) => greedyIds(session, prompt, 8));
  await withSession(gpu, { contextLength: 1024 }, async (session) => {
    await greedyIds(session, prompt.slice(0, 300), 3);
    expect(session.stats().kvPages).toMatchObject({ growths: 0, capacity: 16 });
    const [first] = await collect(session, request(prompt, 1));
    expect(first).toMatchObject({ kind: "prompt", cachedTokens: 300 });
    expect(session.stats().kvPages).toMatchObject({ growths: 1, capacity: 32 });
    expect(await greedyIds(session, prompt, 8)).toEqual(fresh);
    const [again] = await collect(session, request(prompt, 1));
    expect(again).toMatchObject({ cachedTokens: 599 });
  });
});

test("scores of a prompt do not depend on how it is cut, and agree with scores of generated tokens", async (context) => {
  await withSession(await sharedGpuOrSkip(context), {}, async (session) => {
    const prompt = promptOf(40);
    const generated = await collect(session, request(prompt, 6, { logprobs: 3 }));
    const tokens = generated.flatMap((event) => (event.kind === "token" ? [event] : []));
    const [scored] = await collect(session, request([...prompt, ...tokens.map((token) => token.id)], 0, { promptLogprobs: 3 }));
    if (scored.kind !== "prompt") throw new Error("prompt scores come first");
    expect(scored.cachedTokens).toBe(0);
    expect(scored.scores).toHaveLength(46);
    expect(scored.scores[0]).toBeNull();
    tokens.forEach((token, index) => {
      const score = scored.scores[40 + index];
      expect(score?.id).toBe(token.id);
      expect(score?.logprob).toBeCloseTo(token.score?.logprob ?? Number.NaN, 4);
      expect(score?.top.map((top) => top.id)).toEqual(token.score?.top.map((top) => top.id));
    });
  });
});

test("pages beyond what a new prompt shares are given back", async (context) => {
  await withSession(await sharedGpuOrSkip(context), {}, async (session) => {
    await greedyIds(session, promptOf(200), 2);
    expect(session.stats().kvPages).toMatchObject({ used: 7, cached: 0 });
    await greedyIds(session, [7, ...promptOf(20)], 2);
    // One of its own; the others wait for a prompt that begins like the first.
    expect(session.stats().kvPages).toMatchObject({ used: 8, cached: 7 });
    expect(await greedyIds(session, promptOf(200), 4)).toEqual(
      await withSession(await sharedGpuOrSkip(context), {}, (fresh) => greedyIds(fresh, promptOf(200), 4)),
    );
  });
});

describe("sampling", () => {
  test("one seed gives one text, another seed another", async (context) => {
    await withSession(await sharedGpuOrSkip(context), {}, async (session) => {
      const ids = async (seed: number): Promise<number[]> => {
        const events = await collect(session, request(promptOf(9), 24, { sampling: { ...greedySampling, temperature: 1.2, seed } }));
        return events.flatMap((event) => (event.kind === "token" ? [event.id] : []));
      };
      const first = await ids(1);
      expect(await ids(1)).toEqual(first);
      expect(await ids(2)).not.toEqual(first);
    });
  });

  test("a bias steers greedy decoding", async (context) => {
    await withSession(await sharedGpuOrSkip(context), {}, async (session) => {
      const sampling = { ...greedySampling, logitBias: new Map([[65, 100]]) };
      const events = await collect(session, request(promptOf(5), 4, { sampling }));
      expect(events.flatMap((event) => (event.kind === "token" ? [event.id] : []))).toEqual([65, 65, 65, 65]);
    });
  });
});

describe("ends", () => {
  test("a stop id ends with stop, the token limit and a full context with length", async (context) => {
    await withSession(await sharedGpuOrSkip(context), { contextLength: 32 }, async (session) => {
      const [first] = await greedyIds(session, promptOf(5), 1);
      expect((await collect(session, request(promptOf(5), 9, { stopIds: new Set([first]) }))).at(-1)).toMatchObject({
        reason: "stop",
        generated: 1,
      });
      expect((await collect(session, request(promptOf(5), 3))).at(-1)).toMatchObject({ reason: "length", generated: 3 });
      // 30 prompt tokens leave two positions; the last token needs none of its own.
      expect((await collect(session, request(promptOf(30), 99))).at(-1)).toMatchObject({ reason: "length", generated: 3 });
    });
  });

  test("a prompt that does not fit, is empty or has foreign ids is refused, and the session goes on", async (context) => {
    await withSession(await sharedGpuOrSkip(context), { contextLength: 32 }, async (session) => {
      await expect(collect(session, request(promptOf(32), 1))).rejects.toMatchObject({
        code: "CONTEXT.full",
        detail: { have: 32, max: 32 },
      });
      await expect(collect(session, request([], 1))).rejects.toMatchObject({ code: "REQUEST.prompt" });
      await expect(collect(session, request([1, 100_000], 1))).rejects.toMatchObject({ code: "REQUEST.prompt" });
      expect(await greedyIds(session, promptOf(5), 2)).toHaveLength(2);
    });
  });

  test("abort before, in prefill and in decode, and leaving the loop, keep the next text right", async (context) => {
    await withSession(await sharedGpuOrSkip(context), {}, async (session) => {
      const expected = await greedyIds(session, promptOf(300), 6);
      await expect(collect(session, request(promptOf(300), 6, { signal: AbortSignal.abort() }))).rejects.toMatchObject({
        code: "AbortError",
      });
      const prefill = new AbortController();
      const running = collect(session, request(promptOf(700), 6, { signal: prefill.signal }));
      prefill.abort();
      await expect(running).rejects.toMatchObject({ code: "AbortError" });
      expect(await greedyIds(session, promptOf(300), 6)).toEqual(expected);
      const decode = new AbortController();
      await expect(
        (async () => {
          for await (const event of session.generate(request(promptOf(300), 50, { signal: decode.signal }))) {
            if (event.kind === "token") decode.abort();
          }
        })(),
      ).rejects.toMatchObject({ code: "AbortError" });
      for await (const event of session.generate(request(promptOf(300), 50))) {
        if (event.kind === "token") break;
      }
      expect(await greedyIds(session, promptOf(300), 6)).toEqual(expected);
    });
  });
});

describe("failures", () => {
  test("a lost device fails the running and every later call with GPU.lost", async (context) => {
    const watched = await watchGpu(await gpuOrSkip(context));
    const session = await loadSession({ model: tinyModel(), gpu: watched.gpu });
    const running = (async () => {
      for await (const event of session.generate(request(promptOf(9), 100))) {
        if (event.kind === "token") watched.device().destroy();
      }
    })();
    await expect(running).rejects.toMatchObject({ code: "GPU.lost", retryable: true });
    await expect(collect(session, request(promptOf(9), 1))).rejects.toMatchObject({ code: "GPU.lost" });
    session.destroy();
  });

  const needed = [
    "blk.0.attn_q.weight",
    "vectors",
    "rope",
    "kv of layer 1",
    "control",
    "readback",
    "decode activations 0",
    "prefill activations 0",
  ];
  test.for(needed)("no memory for %s: a typed error says what is needed, and everything is freed", async (label, context) => {
    const gpu = await sharedGpuOrSkip(context);
    const made: GPUBuffer[] = [];
    const destroyed = new Set<GPUBuffer>();
    const scopes: GPUErrorFilter[] = [];
    let exhausted = false;
    const watched = await watchGpu(gpu, (device) => ({
      createBuffer(descriptor: GPUBufferDescriptor) {
        // Weights are named by all that lies with them.
        exhausted ||= (descriptor.label ?? "").startsWith(label) && scopes.includes("out-of-memory");
        const buffer = device.createBuffer(descriptor);
        const destroy = buffer.destroy.bind(buffer);
        Object.defineProperty(buffer, "destroy", { value: () => (destroyed.add(buffer), destroy()) });
        made.push(buffer);
        return buffer;
      },
      pushErrorScope(filter: GPUErrorFilter) {
        scopes.push(filter);
        device.pushErrorScope(filter);
      },
      async popErrorScope() {
        const filter = scopes.pop();
        const error = await device.popErrorScope();
        return error ?? (exhausted && filter === "out-of-memory" ? { message: "out of memory" } : null);
      },
    }));
    await expect(loadSession({ model: tinyModel(), gpu: watched.gpu })).rejects.toMatchObject({
      code: "GPU.oom",
      message: expect.stringMatching(/needs \d+ bytes.*well below \d+ bytes/),
    });
    expect(made.length).toBeGreaterThan(3);
    expect(destroyed.size).toBe(made.length);
  });

  test("an error outside any scope fails the session instead of yielding tokens", async (context) => {
    const watched = await watchGpu(await gpuOrSkip(context));
    const session = await loadSession({ model: tinyModel(), gpu: watched.gpu });
    const device = watched.device();
    device.createBindGroupLayout({ entries: [{ binding: 5000, visibility: 4, buffer: {} }] });
    await device.queue.onSubmittedWorkDone();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await expect(collect(session, request(promptOf(3), 2))).rejects.toMatchObject({ code: "GPU.error" });
    session.destroy();
  });

  test("no WebGPU and no adapter are told apart from other failures", async () => {
    const nothing = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;
    await expect(loadSession({ model: tinyModel(), gpu: nothing })).rejects.toMatchObject({ code: "GPU.unavailable", retryable: true });
  });

  test("unloading frees all bytes and refuses later calls", async (context) => {
    const session = await loadSession({ model: tinyModel(), gpu: await sharedGpuOrSkip(context) });
    expect(session.stats().gpuBytes.total).toBeGreaterThan(0);
    session.destroy();
    session.destroy();
    expect(session.stats().gpuBytes.total).toBe(0);
    await expect(collect(session, request(promptOf(3), 2))).rejects.toMatchObject({ code: "REQUEST.unloaded" });
  });
});

describe("files that cannot be loaded", () => {
  const good = tinyModel();
  const cases: Array<[name: string, model: () => Uint8Array, code: string | RegExp]> = [
    ["not a GGUF", () => new TextEncoder().encode("<!doctype html><title>404</title>".repeat(9)), "FORMAT.magic"],
    ["nothing at all", () => new Uint8Array(), /FORMAT|SOURCE/],
    ["a truncated file", () => good.slice(0, good.length - 5000), /FORMAT/],
    ["version 7", () => good.with(4, 7), "FORMAT.version"],
    ["an unknown architecture", () => tinyModel({ metadata: [["general.architecture", "string", "mamba"]] }), "UNSUPPORTED.architecture"],
    ["an unknown pre-tokenizer", () => tinyModel({ metadata: [["tokenizer.ggml.pre", "string", "martian"]] }), "TOKENIZER.pre"],
    ["a broken template", () => tinyModel({ metadata: [["tokenizer.chat_template", "string", "{% for x in %}"]] }), "TEMPLATE.syntax"],
    ["heads that divide nothing", () => tinyModel({ metadata: [["llama.attention.head_count", "u32", 7]] }), "MODEL.config"],
    [
      "a shape other than the config's",
      () =>
        tinyModel({
          metadata: [
            ["llama.feed_forward_length", "u32", 172],
            ["llama.attention.head_count_kv", "u32", 4],
          ],
        }),
      "MODEL.shape",
    ],
    ["more layers than tensors", () => tinyModel({ metadata: [["llama.block_count", "u32", 3]] }), "MODEL.tensor"],
    ["fewer layers than tensors", () => tinyModel({ metadata: [["llama.block_count", "u32", 1]] }), "UNSUPPORTED.tensor"],
  ];
  for (const [name, model, code] of cases) {
    test(name, async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      const failure = await loadSession({ model: model(), gpu }).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: typeof code === "string" ? code : expect.stringMatching(code) });
    });
  }

  test("a context beyond the model's", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    await expect(loadSession({ model: good, gpu, contextLength: 257 })).rejects.toMatchObject({ code: "CONTEXT.limit" });
  });

  test("an aborted load", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    await expect(loadSession({ model: good, gpu, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "AbortError" });
    const controller = new AbortController();
    const loading = loadSession({
      model: good,
      gpu,
      signal: controller.signal,
      onProgress: ({ phase }) => phase === "weights" && controller.abort(),
    });
    await expect(loading).rejects.toMatchObject({ code: "AbortError" });
  });
});
