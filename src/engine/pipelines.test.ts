// How many pipelines a model takes: distinct texts of what its programs run on an adapter that never was, a GPU with nothing emulated.

import { describe, expect, test } from "vitest";
import { assemble } from "../gpu/shader.ts";
import { programRequest } from "../graph/program.ts";
import { callTargets, productAttributes } from "../graph/tiers.ts";
import { shaderFiles } from "../testing/shader_files.ts";
import { commonSizes, type HeaderSizes, mixed, mixedRecipes, modelHeader } from "../testing/model_header.ts";
import { plainCaps } from "../testing/plain_caps.ts";
import { draftModel } from "./model_draft.ts";
import { chunkRows, headRows, planRunner, type RunnerPlan, slots } from "./placement.ts";

const common = commonSizes(4);
const shapes: readonly HeaderSizes[] = [...common, { ...common[0], format: () => "q8_0" }];

interface Target {
  readonly deviceClass: "cpu" | "gpu";
  readonly activations: "f32" | "f16" | "int8";
}

const targets: readonly Target[] = (["gpu", "cpu"] as const).flatMap((deviceClass) => {
  return (["f32", "f16", "int8"] as const).map((activations) => ({ deviceClass, activations }));
});

async function planOf(sizes: HeaderSizes, { deviceClass, activations }: Target): Promise<RunnerPlan> {
  const caps = { ...plainCaps, deviceClass, software: deviceClass === "cpu", subgroups: { min: 32, max: 32 }, maxBindingBytes: 2 ** 30 };
  const { model } = await draftModel(modelHeader(sizes), { caps, activations });
  if (!model) return expect.fail("the header is accepted");
  return planRunner(model, caps);
}

/** Keys of the variants that run, one for each distinct text. */
function pipelinesOf(plan: RunnerPlan): string[] {
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

/** Dispatches of a greedy step. */
function dispatchesOf({ decode: { calls, sections } }: RunnerPlan): number {
  const unused = new Set(["score", sections.some(({ name }) => name === "best") ? "sample" : "best"]);
  return calls.length - sections.filter(({ name }) => unused.has(name)).reduce((sum, { start, end }) => sum + end - start, 0);
}

/** Products of a plan that are told their shapes. */
function sharing({ decode, prefill }: RunnerPlan): number {
  return [...decode.calls, ...prefill.calls].filter((call) => productAttributes(call)?.shared).length;
}

describe("at most 30 pipelines", () => {
  for (const sizes of shapes) {
    for (const target of targets) {
      const { deviceClass, activations } = target;
      test(`${sizes.architecture} in ${sizes.format("ffn_gate", 1)} on ${deviceClass}s, activations in ${activations}`, async () => {
        const plan = await planOf(sizes, target);
        const found = pipelinesOf(plan);
        expect(found.length, found.join("\n")).toBeLessThanOrEqual(30);
        expect(sharing(plan)).toBe(0);
      });
    }
  }
});

describe("types that change from layer to layer", () => {
  for (const sizes of commonSizes(12)) {
    for (const target of targets) {
      const { deviceClass, activations } = target;
      const where = `${sizes.architecture} on ${deviceClass}s, activations in ${activations}`;
      // In f16 passes and products are those of f32.
      for (const recipe of activations === "f16" ? (["four"] as const) : (["four", "six", "grids"] as const)) {
        test(`${recipe} are at most 30 pipelines: ${where}`, async () => {
          const plan = await planOf({ ...sizes, format: mixed(mixedRecipes[recipe]) }, target);
          const found = pipelinesOf(plan);
          expect(found.length, found.join("\n")).toBeLessThanOrEqual(30);
          expect(sharing(plan)).toBeGreaterThan(0);
        });
      }
    }
  }

  // With all passes six types would have 125 on GPUs, and 37 pipelines.
  test.each([
    ["four", { gpu: [30, 122], cpu: [30, 194] }],
    ["six", { gpu: [30, 190], cpu: [30, 230] }],
    ["grids", { gpu: [30, 201], cpu: [30, 234] }],
    ["seven", { gpu: [30, 230], cpu: [31, 246] }],
    ["eight", { gpu: [32, 230], cpu: [33, 246] }],
  ] as const)("%s: what 16 layers have of pipelines, and of dispatches for a token", async (recipe, expected) => {
    for (const deviceClass of ["gpu", "cpu"] as const) {
      const plan = await planOf({ ...commonSizes(16)[0], format: mixed(mixedRecipes[recipe]) }, { deviceClass, activations: "f32" });
      const [pipelines, dispatches] = expected[deviceClass];
      expect(pipelinesOf(plan).length).toBeLessThanOrEqual(pipelines);
      expect(dispatchesOf(plan)).toBeLessThanOrEqual(dispatches);
    }
  });

  // Two products of each type, one for each program, and 17 pipelines beside them: all that differs by more than numbers.
  test("eight are as few as can be", async () => {
    for (const target of targets.filter(({ activations }) => activations === "f32")) {
      const plan = await planOf({ ...commonSizes(8)[0], format: mixed(mixedRecipes.eight) }, target);
      const found = pipelinesOf(plan);
      expect(found.length, found.join("\n")).toBeLessThanOrEqual(33);
      expect(found.filter((key) => key.includes("/shared/")).length).toBe(16);
    }
  });
});

test("what four types give up on GPUs is a sum in prompts and the choice among eights", async () => {
  const plan = await planOf({ ...commonSizes(12)[0], format: mixed(mixedRecipes.four) }, { deviceClass: "gpu", activations: "f32" });
  expect(plan.decode.fusion).toEqual(["qkv", "gate_up", "residual", "norm", "merge", "heads", "output_rows"]);
  expect(plan.prefill.fusion).toEqual(["qkv", "gate_up"]);
  expect(plan.decode.calls.some((call) => productAttributes(call)?.pair)).toBe(true);
});
