// How many pipelines a model takes: distinct texts of what its programs run on an adapter that never was, a GPU with nothing emulated.

import { describe, expect, test } from "vitest";
import { assemble } from "../gpu/shader.ts";
import { programRequest } from "../graph/program.ts";
import { callTargets } from "../graph/tiers.ts";
import { shaderFiles } from "../testing/shader_files.ts";
import { commonSizes, type HeaderSizes, modelHeader } from "../testing/model_header.ts";
import { plainCaps } from "../testing/plain_caps.ts";
import { draftModel } from "./model_draft.ts";
import { chunkRows, headRows, planRunner, slots } from "./placement.ts";

const common = commonSizes(4);
const shapes: readonly HeaderSizes[] = [...common, { ...common[0], format: () => "q8_0" }];

/** Keys of the variants that run, one for each distinct text. */
async function pipelinesOf(sizes: HeaderSizes, deviceClass: "cpu" | "gpu", activations: "f32" | "f16" | "int8"): Promise<string[]> {
  const caps = { ...plainCaps, deviceClass, software: deviceClass === "cpu", subgroups: { min: 32, max: 32 }, maxBindingBytes: 2 ** 30 };
  const { model } = await draftModel(modelHeader(sizes), { caps, activations });
  if (!model) return expect.fail("the header is accepted");
  const plan = planRunner(model, caps);
  const texts = new Map<string, string>();
  for (const [phase, maxRows, maxOutputRows] of [
    ["decode", slots, slots],
    ["prefill", chunkRows, headRows],
  ] as const) {
    const target = { ...plan.target, maxRows };
    for (const call of plan[phase].calls) {
      for (const one of callTargets(call, { target, maxOutputRows, tiers: plan.tiers })) {
        const [variant] = call.variants(one);
        const { code } = assemble(programRequest(variant, chunkRows), shaderFiles);
        texts.set(code, `${phase} ${call.name} rows<=${one.maxRows} ${variant.key}`);
      }
    }
  }
  return [...texts.values()];
}

describe("at most 30 pipelines", () => {
  for (const sizes of shapes) {
    for (const deviceClass of ["gpu", "cpu"] as const) {
      for (const activations of ["f32", "f16", "int8"] as const) {
        const name = `${sizes.architecture} in ${sizes.format("ffn_gate", 1)} on ${deviceClass}s, activations in ${activations}`;
        test(name, async () => {
          const found = await pipelinesOf(sizes, deviceClass, activations);
          expect(found.length, found.join("\n")).toBeLessThanOrEqual(30);
        });
      }
    }
  }
});
