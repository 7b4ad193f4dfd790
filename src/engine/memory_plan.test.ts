// Activation memory of whole lowered programs: never one buffer on both sides of a dispatch, and how far the greedy plan is from the least
// that is possible.

import { describe, expect, test } from "vitest";
import { planMemory } from "../graph/memory.ts";
import { exactMemoryBytes } from "../testing/exact_memory.ts";
import { commonSizes, type HeaderSizes, modelHeader } from "../testing/model_header.ts";
import { plainCaps } from "../testing/plain_caps.ts";
import { draftModel } from "./model_draft.ts";
import { chunkRows, headRows, planRunner, slots } from "./placement.ts";

interface Choice {
  readonly deviceClass: "cpu" | "gpu";
  readonly activations: "f32" | "int8";
  readonly fusion: "auto" | "off";
}

async function programsOf(sizes: HeaderSizes, { deviceClass, activations, fusion }: Choice) {
  const caps = { ...plainCaps, deviceClass, maxBindingBytes: 2 ** 30 };
  const { model } = await draftModel(modelHeader(sizes), { caps, activations });
  if (!model) return expect.fail("the header is accepted");
  const plan = await planRunner(model, caps, { fusion });
  return (["decode", "prefill"] as const).map((phase) => {
    const { calls, logits, hidden } = plan[phase];
    const [maxRows, maxOutputRows] = phase === "decode" ? [slots, slots] : [chunkRows, headRows];
    return { phase, calls, shape: { maxRows, maxOutputRows, activationBytes: 4 }, keep: new Set([logits.id, hidden.id]) };
  });
}

describe("plans of one layer", () => {
  for (const sizes of commonSizes(1)) {
    for (const deviceClass of ["gpu", "cpu"] as const) {
      for (const activations of ["f32", "int8"] as const) {
        for (const fusion of ["auto", "off"] as const) {
          test(`${sizes.architecture}, ${deviceClass}, ${activations}, fusion ${fusion}`, async () => {
            for (const { phase, calls, shape, keep } of await programsOf(sizes, { deviceClass, activations, fusion })) {
              const { placement, bytes } = planMemory(calls, shape, keep);
              for (const { name, inputs, outputs } of calls) {
                const [read, written] = [inputs, outputs].map((values) => values.map(({ id }) => placement.get(id) ?? expect.fail(name)));
                expect(new Set([...read, ...written]).size, name).toBe(new Set(inputs.map(({ id }) => id)).size + outputs.length);
              }
              const least = exactMemoryBytes(calls, shape, keep);
              expect(least).toBeLessThanOrEqual(bytes);
              const gap = bytes / least - 1;
              console.info(`${phase}: greedy ${bytes} bytes, least ${least}, gap ${(100 * gap).toFixed(1)} %`);
              expect(gap).toBeLessThanOrEqual(fusion === "auto" ? 0.02 : 0.06);
            }
          });
        }
      }
    }
  }
});
