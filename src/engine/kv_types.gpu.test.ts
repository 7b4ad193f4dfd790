// What keys and values are stored as, end to end: f16 and quantized tokens on every adapter. Greedy text depends on no split of the prompt,
// and log-probabilities stay as close to f32 as the type promises.

import { describe, expect, test } from "vitest";
import type { KvType } from "../base/kv_types.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { greedyIds, lastLogprobs, relativeRms } from "../testing/oracle.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { loadSession } from "./load.ts";
import type { Session } from "./session.ts";

const prompt = Array.from({ length: 67 }, (_, index) => (11 + index * 37) % 256);
const types = ["f16", "q8_0", "bfp4"] satisfies KvType[];
/** Of log-probabilities against f32, on weights drawn at random. */
const bounds: Readonly<Record<string, number>> = { f16: 1e-3, q8_0: 1.5e-2, bfp4: 0.3 };

async function withSession<T>(
  gpu: GPU,
  how: { type: KvType | undefined; deviceClass: "cpu" | "gpu" },
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const model = tinyModel({ architecture: "qwen3", hidden: 64, heads: 4, kvHeads: 2, ffn: 96, contextLength: 256 });
  const { type, deviceClass } = how;
  const session = await loadSession({ model, gpu, deviceClass, tuning: "off", contextLength: 256, ...(type && { kv: { type } }) });
  try {
    return await use(session);
  } finally {
    session.destroy();
  }
}

describe.each(["cpu", "gpu"] as const)("with the %s program", (deviceClass) => {
  for (const type of types) {
    test(`${type} gives nearly the log-probabilities of f32, and text that no split of the prompt changes`, async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      const exact = await withSession(gpu, { type: "f32", deviceClass }, (session) => lastLogprobs(session, prompt));
      await withSession(gpu, { type, deviceClass }, async (session) => {
        const error = relativeRms(await lastLogprobs(session, prompt), [...exact]);
        expect(error).toBeGreaterThan(0);
        expect(error).toBeLessThanOrEqual(bounds[type]);
        const text = await greedyIds(session, prompt, 24);
        // A part of the prompt is in the cache already, then of another one.
        await greedyIds(session, prompt.slice(0, 40), 1);
        expect(await greedyIds(session, prompt, 24)).toEqual(text);
        await greedyIds(session, [...prompt.slice(0, 5), 3, 4], 3);
        expect(await greedyIds(session, prompt, 24)).toEqual(text);
      });
    });
  }
});
