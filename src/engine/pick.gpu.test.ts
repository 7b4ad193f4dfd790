// The likeliest token from what the head keeps of its logits, against the sampler that looks at all of them: programs with the pass `pick` and
// without it, in one session whose requests take turns.

import { expect, test } from "vitest";
import { maskWords } from "../base/layout.ts";
import { fusionNames } from "../graph/fuse/names.ts";
import { greedySampling } from "../sampling/params.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { tinyModel, type TinyModelOptions } from "../testing/tiny_model.ts";
import { loadSession, type LoadSessionOptions } from "./load.ts";
import type { GenerateRequest, Session } from "./session.ts";

const without = fusionNames.filter((name) => name !== "pick");
const promptIds = Array.from({ length: 40 }, (_, index) => (index * 37 + 11) % 256);
const greedy: GenerateRequest = { promptIds, maxTokens: 64, sampling: greedySampling, stopIds: new Set() };

/** Ids of an answer, with whatever else is told of them. */
async function answer(session: Session, request: GenerateRequest): Promise<unknown[]> {
  const told: unknown[] = [];
  for await (const event of session.generate(request)) {
    if (event.kind === "token") told.push(event.score ? [event.id, event.score.top[0].id] : event.id);
    if (event.kind === "end") told.push(event.reason);
  }
  return told;
}

/** Greedy and other requests in turns: what one leaves behind, the next may find. */
async function answers(session: Session): Promise<unknown[][]> {
  const plain = await answer(session, greedy);
  const fifth = Number(plain[5]);
  const odd = new Uint32Array(maskWords(session.info().vocabSize)).fill(0xaaaaaaaa);
  const short = { ...greedy, maxTokens: 12 };
  const penalties = { ...greedySampling, repetitionPenalty: 1.3, frequencyPenalty: 0.5 };
  const requests: GenerateRequest[] = [
    { ...short, sampling: penalties },
    short,
    { ...short, mask: (ids) => (ids.length % 3 === 1 ? undefined : odd) },
    short,
    { ...short, sampling: { ...greedySampling, temperature: 0.9, topK: 1 } },
    { ...short, sampling: { ...greedySampling, temperature: 0.9, topP: 0.9, seed: 5 } },
    { ...short, sampling: { ...greedySampling, logitBias: new Map([[fifth, -100]]) } },
    { ...short, logprobs: 2 },
    { ...short, stopIds: new Set([fifth]) },
    greedy,
  ];
  const found = [plain];
  for (const request of requests) found.push(await answer(session, request));
  return found;
}

async function loaded<T>(gpu: GPU, options: TinyModelOptions, more: Partial<LoadSessionOptions>, use: (session: Session) => Promise<T>) {
  const session = await loadSession({ model: tinyModel(options), gpu, deviceClass: "gpu", tuning: "off", ...more });
  try {
    return await use(session);
  } finally {
    session.destroy();
  }
}

const cases = [
  ...(["llama", "qwen2", "qwen3"] as const).map((architecture) => ({ architecture, activations: "f32" as const })),
  { architecture: "llama" as const, activations: "f16" as const },
  { architecture: "qwen3" as const, activations: "int8" as const, format: "q8_0" },
];

// A browser, where drivers without a GPU compile for minutes, runs the first.
for (const { activations, ...model } of typeof window === "undefined" ? cases : cases.slice(0, 1)) {
  test(`${model.architecture} in ${activations}: the same tokens, a dispatch fewer`, { timeout: 240_000 }, async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const adapter = await gpu.requestAdapter();
    if (activations === "f16" && !adapter?.features.has("shader-f16")) context.skip("this adapter has no shader-f16");
    const run = (fusion: readonly (typeof fusionNames)[number][]) =>
      loaded(gpu, model, { activations, execution: { fusion } }, async (session) => ({
        texts: await answers(session),
        kinds: session.stats().fusion,
        dispatches: session.stats().dispatches,
      }));
    const [picking, plain] = [await run(fusionNames), await run(without)];
    expect(picking.texts).toEqual(plain.texts);
    expect(plain.texts[0]).toHaveLength(65);
    expect(picking.texts[9].at(-1)).toBe("stop");
    expect([picking.kinds.decode, picking.kinds.prefill].map((names) => names.includes("pick"))).toEqual([true, true]);
    expect([plain.kinds.decode, plain.kinds.prefill].map((names) => names.includes("pick"))).toEqual([false, false]);
    expect(picking.dispatches).toEqual({ decode: plain.dispatches.decode - 1, prefill: plain.dispatches.prefill - 1 });
  });
}
