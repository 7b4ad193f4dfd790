// What a response says of keys and values: tokens that were there already, exactly, and what a policy dropped.

import { expect, test } from "vitest";
import type { KvOptions } from "../engine/kv_options.ts";
import { loadSession } from "../engine/load.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { promptOf } from "../testing/streamed_session.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { errorCode } from "../testing/typed_error.ts";
import { createSessionEngine } from "./session_engine.ts";
import type { Completion, Engine } from "./types.ts";

const model = tinyModel({ contextLength: 256 });

async function withEngine(gpu: GPU, kv: KvOptions, use: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = createSessionEngine(await loadSession({ model, gpu, tuning: "off", kv }));
  try {
    await use(engine);
  } finally {
    await engine.unload();
  }
}

async function usageOf(engine: Engine, prompt: readonly number[], maxTokens = 1): Promise<NonNullable<Completion["usage"]>> {
  const { usage } = await engine.completions.create({ prompt, max_tokens: maxTokens, temperature: 0, ignore_eos: true });
  if (!usage) throw new Error("an answer has its usage");
  return usage;
}

async function cachedOf(engine: Engine, prompt: readonly number[]): Promise<number> {
  return (await usageOf(engine, prompt)).prompt_tokens_details.cached_tokens;
}

test("tokens of a prompt that were there already are counted to the token, over edits, branches and other prompts", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const first = promptOf(100);
  const edited = [...first.slice(0, 70), 1, 2, 3];
  await withEngine(gpu, { budget: 16 * 32_768 }, async (engine) => {
    expect(await cachedOf(engine, first)).toBe(0);
    // The last token of a prompt always runs.
    expect(await cachedOf(engine, first)).toBe(99);
    expect(await cachedOf(engine, edited)).toBe(70);
    expect(await cachedOf(engine, promptOf(50, 5))).toBe(0);
    expect(await cachedOf(engine, [...edited, 4])).toBe(73);
    const { promptTokens, kvPages } = await engine.stats();
    expect(promptTokens).toBe(100 + 1 + 3 + 50 + 1);
    expect(kvPages.cached).toBeGreaterThan(0);
  });
  await withEngine(gpu, { prefixCache: false }, async (engine) => {
    await usageOf(engine, first);
    await usageOf(engine, promptOf(50, 5));
    expect(await cachedOf(engine, first)).toBe(0);
  });
});

test("a policy in force is named in each response, with what it kept and dropped, and knows no end of the context", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const long = promptOf(300);
  for (const policy of ["window", "snapkv", "keyformer"] as const) {
    await withEngine(gpu, { evict: { policy, keep: 96 } }, async (engine) => {
      expect(await engine.info()).toMatchObject({ evict: policy, contextLength: 256 });
      expect((await usageOf(engine, promptOf(40), 8)).kv).toEqual({ policy, kept_tokens: 47, dropped_tokens: 0 });
      const { kv, prompt_tokens, completion_tokens } = await usageOf(engine, long, 20);
      expect([prompt_tokens, completion_tokens]).toEqual([300, 20]);
      expect(kv?.policy).toBe(policy);
      expect(kv?.kept_tokens).toBeLessThanOrEqual(96);
      expect((kv?.kept_tokens ?? 0) + (kv?.dropped_tokens ?? 0)).toBe(319);
    });
  }
  await withEngine(gpu, {}, async (engine) => {
    expect(await usageOf(engine, promptOf(40))).not.toHaveProperty("kv");
    expect(await errorCode(usageOf(engine, long))).toBe("CONTEXT.full");
  });
});
