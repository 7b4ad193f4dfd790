// What is said of keys and values, at a load: it takes what the verdict foretold, holds as many tokens as its budget, and says so.

import { expect, test } from "vitest";
import { fakeProbe } from "../testing/fake_probe.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { idsOf, promptOf, request, withSession } from "../testing/streamed_session.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { errorCode } from "../testing/typed_error.ts";
import { estimateSession } from "./estimate.ts";
import type { KvOptions } from "./kv_options.ts";
import { loadSession } from "./load.ts";
import type { LoadProgress } from "./progress.ts";

const model = tinyModel({ contextLength: 512 });
/** Keys and values of a page of 32 tokens as f32, in 2 layers with 2 KV heads of 16. */
const groupBytes = 2 * 2 * 2 * 16 * 32 * 4;

test("a load takes what its verdict foretold, in every type, and tells it before weights are read", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const settings: KvOptions[] = [
    { type: "f16" },
    { type: "q8_0" },
    { type: "bfp4", pageTokens: 64 },
    { type: "q4" },
    { budget: 5.5 * groupBytes },
  ];
  for (const kv of [undefined, ...settings]) {
    const verdict = await estimateSession({ model, gpu, probe: fakeProbe(), kv });
    const told: Array<LoadProgress["kv"]> = [];
    const session = await loadSession({
      model,
      gpu,
      tuning: "off",
      kv,
      onProgress: (progress) => progress.phase === "weights" && told.push(progress.kv),
    });
    try {
      const { gpuBytes, kvPages } = session.stats();
      expect(verdict.problems, JSON.stringify(kv)).toEqual([]);
      expect(verdict.gpu.atLoad, JSON.stringify(kv)).toBe(gpuBytes.total);
      const { type, bytesPerThousandTokens } = kvPages;
      expect(type).toBe(kv?.type ?? "f32");
      expect([verdict.gpu.kvType, verdict.gpu.kvPerThousandTokens]).toEqual([type, bytesPerThousandTokens]);
      expect(told[0]).toEqual({ type, bytesPerThousandTokens });
      if (kv?.budget) expect(verdict.gpu.kv).toBe(5 * groupBytes);
    } finally {
      session.destroy();
    }
  }
});

test("a budget bounds a conversation, and what is refused for it says so and leaves the session as it was", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  await withSession({ gpu, model, kv: { budget: 3 * groupBytes } }, async (session) => {
    expect(session.info().contextLength).toBe(96);
    const short = await idsOf(session, request(promptOf(90), 6));
    expect(short).toHaveLength(6);
    const failure = await idsOf(session, request(promptOf(97), 6)).catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ code: "CONTEXT.full", detail: { have: 97, max: 96 } });
    expect(String(failure)).toMatch(/kv\.budget has room for 96.*kv\.budget or kv\.type "f16"/);
    // As many as there is room for.
    expect(await idsOf(session, request(promptOf(90), 60))).toHaveLength(96 - 90 + 1);
    expect(await idsOf(session, request(promptOf(90), 6))).toEqual(short);
    expect(session.stats().kvPages.capacity).toBeLessThanOrEqual(3);
  });
});

test("what cannot be had is refused at the load", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const code = (kv: KvOptions): Promise<string> => errorCode(loadSession({ model, gpu, kv }));
  expect(await code({ budget: groupBytes - 1 })).toBe("REQUEST.kv");
  expect(await code({ evict: { policy: "window", keep: 513 } })).toBe("REQUEST.kv");
});
