// The rules that every shader file keeps, read from the text: length, opening comment, no subgroups, no file without a user.

import { describe, expect, test } from "vitest";
import type { Caps } from "../gpu/caps.ts";
import type { ShaderFile } from "../gpu/shader.ts";
import { type TestedKernel, testedKernels } from "../testing/kernel_cases/index.ts";
import { plainCaps } from "../testing/plain_caps.ts";
import { shaderFiles } from "../testing/shader_files.ts";
import type { Precision, Variant } from "./kernel.ts";
import { modules as cpuModules } from "./shader_texts/cpu_shaders.ts";
import { modules as gpuModules } from "./shader_texts/gpu_shaders.ts";
import { modules as int8Modules } from "./shader_texts/int8_shaders.ts";
import { modules as kvModules } from "./shader_texts/kv_shaders.ts";
import { modules as matrixModules } from "./shader_texts/matrix_shaders.ts";
import { modules as rulesModules } from "./shader_texts/rules_shaders.ts";
import { modules as sharedModules } from "./shader_texts/shared_shaders.ts";
import { openShaderFiles, shaderFilesOf, withRules } from "./shader_files.ts";

const caps: Caps = {
  ...plainCaps,
  subgroups: { min: 4, max: 128 },
  subgroupMatrix: [{ component: "f16", result: "f32", m: 8, n: 8, k: 8 }],
};

/** What each target gets for each case, the safe default first. */
function choicesOf<A>(kernel: TestedKernel<A>): (readonly Variant[])[] {
  const targets = (["cpu", "gpu"] as const).flatMap((deviceClass) =>
    (["f32", "f16", "int8"] satisfies Precision[]).flatMap((precision) =>
      [true, false].map((plain) => ({
        caps: {
          ...caps,
          f16: plain || precision === "f16",
          packedDot: plain,
          software: !plain,
          ...(plain && { subgroups: { min: 32, max: 32 } }),
        },
        deviceClass,
        precision,
      })),
    ),
  );
  return kernel.cases.flatMap(({ attributes, rows }) => targets.map((target) => kernel.variants(attributes, { ...target, maxRows: rows })));
}

function textOf(file: ShaderFile): string {
  return typeof file === "string" ? (shaderFiles.get(file) ?? "") : file.text;
}

const choices = testedKernels.flatMap((kernel) => kernel.visit(choicesOf));
const variants = choices.flat();

test.each([...shaderFiles])("%s opens with its contract and stays short", (_, text) => {
  expect(text.startsWith("// ")).toBe(true);
  expect(text.split("\n").length).toBeLessThanOrEqual(201);
});

/** The listed files that some variants name. */
function namedBy(some: (variant: Variant) => boolean): Set<string> {
  return new Set(variants.filter(some).flatMap(({ files }) => files.filter((file) => typeof file === "string")));
}

const usesCodes = ({ key }: Variant): boolean => /kv_(?!f32|f16)/.test(key.replace(/^kv_[a-z]+/, ""));
const usesRules = ({ key, header }: Variant): boolean => /\/(window|softcap|alibi|sinks)\//.test(key) || "RANGE_WINDOW" in header.consts;
const usesMatrix = ({ key }: Variant): boolean => key.includes("subgroup_matrix");

test("every shader file belongs to a variant", () => {
  const used = new Set<unknown>(variants.flatMap(({ files }) => files));
  expect([...shaderFiles.keys()].filter((file) => !used.has(file))).toEqual([]);
});

describe.each(["cpu", "gpu"] as const)("on class %s", (deviceClass) => {
  test.each(["f32", "f16", "int8"] as const)("what opens for %s has every file of its variants", async (precision) => {
    const opened = await withRules(await openShaderFiles({ caps, deviceClass, precision, kv: "q8_0" }));
    const named = namedBy((variant) => variant.key.endsWith(`/${deviceClass}`) && variant.precision === precision);
    expect(named.size).toBeGreaterThan(30);
    expect([...named].filter((file) => !opened.has(file))).toEqual([]);
  });
});

test("a chunk of shaders has what its targets use and nothing else", () => {
  const usual = (variant: Variant): boolean =>
    variant.precision !== "int8" && !usesMatrix(variant) && !usesCodes(variant) && !usesRules(variant);
  const cpu = namedBy((variant) => usual(variant) && variant.key.endsWith("/cpu"));
  const gpu = namedBy((variant) => usual(variant) && variant.key.endsWith("/gpu"));
  const matrix = namedBy(usesMatrix);
  const either = new Set([...cpu, ...gpu]);
  const codes = namedBy(usesCodes);
  const int8 = namedBy((variant) => variant.precision === "int8" && !usesCodes(variant) && !usesRules(variant));
  const rules = namedBy((variant) => usesRules(variant) && variant.precision !== "int8");
  const expected = {
    shared: [...cpu].filter((file) => gpu.has(file)),
    cpu: [...cpu].filter((file) => !gpu.has(file)),
    gpu: [...gpu].filter((file) => !cpu.has(file)),
    matrix: [...matrix].filter((file) => !either.has(file)),
    int8: [...int8].filter((file) => !either.has(file)),
    rules: [...rules].filter((file) => !either.has(file)),
    kv: [...codes].filter((file) => !either.has(file) && !int8.has(file)),
  };
  const chunks = {
    shared: sharedModules,
    cpu: cpuModules,
    gpu: gpuModules,
    matrix: matrixModules,
    int8: int8Modules,
    kv: kvModules,
    rules: rulesModules,
  };
  const found = Object.entries(chunks).map(([name, modules]) => [name, [...shaderFilesOf(modules).keys()].toSorted()]);
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(Object.entries(expected).map(([name, files]) => [name, files.toSorted()])));
});

test("no default variant uses subgroups, so none depends on their size", () => {
  const defaults = choices.flatMap((found) => found.slice(0, 1));
  expect(defaults.length).toBeGreaterThan(100);
  const withSubgroups = defaults.filter(
    ({ header, files }) => header.enables?.includes("subgroups") || files.some((file) => /\b(subgroup|quad)[A-Z_]/.test(textOf(file))),
  );
  expect(withSubgroups.map(({ key }) => key)).toEqual([]);
});

test("no variant binds more than 8 storage buffers, or the same operand twice", () => {
  for (const { key, bindings, header } of variants) {
    expect(bindings.filter(({ access }) => access !== "uniform").length, key).toBeLessThanOrEqual(8);
    // Weights stand in for a bias that only some of those have that share the text.
    const own = bindings.filter(({ name, from }) => name !== "bias" || from !== "weight0" || header.shape?.includes("BIASED") !== true);
    expect(new Set(own.map(({ from }) => from)).size, key).toBe(own.length);
  }
});

test("variants for CPU drivers have no barrier, but for one that is alone in its step", () => {
  const cpu = variants.filter(({ key }) => key.endsWith("/cpu") && !key.startsWith("sample_pick/"));
  expect(cpu.length).toBeGreaterThan(10);
  const waiting = cpu.filter(({ files }) => files.some((file) => /Barrier\(|workgroupUniformLoad/.test(textOf(file))));
  expect(waiting.map(({ key }) => key)).toEqual([]);
});
