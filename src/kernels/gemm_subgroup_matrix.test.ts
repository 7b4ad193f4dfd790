// When the variant is listed, and that Dawn finds nothing wrong with its text: Dawn's backend that draws nothing has every feature.

import { create } from "webgpu";
import { afterAll, expect, test } from "vitest";
import { q4_0 } from "../formats/q4_0.ts";
import type { Caps } from "../gpu/caps.ts";
import { assemble } from "../gpu/shader.ts";
import { subgroupMatrixVariants } from "./gemm_subgroup_matrix.ts";
import type { KernelTarget } from "./kernel.ts";
import { linear, type LinearAttributes } from "./linear.ts";
import { plainCaps } from "../testing/plain_caps.ts";
import { shaderFiles } from "../testing/shader_files.ts";

const caps: Caps = {
  ...plainCaps,
  subgroups: { min: 32, max: 32 },
  subgroupMatrix: [
    { component: "f32", result: "f32", m: 8, n: 8, k: 8 },
    { component: "f16", result: "f32", m: 16, n: 16, k: 16 },
  ],
};
const target: KernelTarget = { caps, deviceClass: "gpu", precision: "f16", maxRows: 256 };
const attributes: LinearAttributes = {
  format: q4_0,
  k: 256,
  n: 200,
  bias: true,
  outStart: 0,
  outCols: 200,
  over: "rows",
  out: "act",
};

const gpu = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
const opened = openNull();

/** A device of the backend that draws nothing, whose subgroups have up to 128 lanes; undefined where Dawn lacks the proposal. */
async function openNull(): Promise<GPUDevice | undefined> {
  const adapter = await gpu.requestAdapter();
  const wanted = ["shader-f16", "subgroups", "chromium-experimental-subgroup-matrix"];
  if (adapter === null || wanted.some((feature) => !adapter.features.has(feature))) return undefined;
  return adapter.requestDevice({ requiredFeatures: wanted as GPUFeatureName[] });
}

afterAll(async () => (await opened)?.destroy());

test("listed where a matrix fits, and never first", () => {
  const keys = linear.variants(attributes, target).map(({ key }) => key);
  expect(keys.indexOf("gemm/q4_0/subgroup_matrix/16x16x16/f16/gpu")).toBeGreaterThan(0);
});

test.each<[string, Partial<KernelTarget>, Partial<Caps>]>([
  ["no matrices", {}, { subgroupMatrix: [] }],
  ["no matrix of f16", {}, { subgroupMatrix: caps.subgroupMatrix.slice(0, 1) }],
  ["a matrix larger than the tile", {}, { subgroupMatrix: [{ component: "f16", result: "f32", m: 16, n: 64, k: 16 }] }],
  ["sums in f16", {}, { subgroupMatrix: [{ component: "f16", result: "f16", m: 16, n: 16, k: 16 }] }],
  ["subgroups of several sizes", {}, { subgroups: { min: 8, max: 32 } }],
  ["no subgroups", {}, { subgroups: undefined }],
  ["too few lanes", {}, { maxWorkgroupInvocations: 64 }],
  ["another class", { precision: "f32" }, {}],
  ["a CPU driver", { deviceClass: "cpu" }, {}],
])("not listed with %s", (_, other, lacking) => {
  const without = { ...target, ...other, caps: { ...caps, ...lacking } };
  expect(subgroupMatrixVariants(attributes, without)).toEqual([]);
});

test.each([8, 16])("Dawn takes the shader with matrices of %i", async (size) => {
  const device = await opened;
  if (device === undefined)
    throw new Error("this Dawn has no chromium-experimental-subgroup-matrix any more: drop the variant or this test");
  const fit = { ...caps, subgroupMatrix: [{ component: "f16", result: "f32", m: size, n: size, k: size }] };
  const [variant] = subgroupMatrixVariants(attributes, { ...target, caps: fit });
  const { key, header, bindings, files } = variant;
  const shader = assemble({ label: key, header, bindings, files, stepRows: 256 }, shaderFiles);
  device.pushErrorScope("validation");
  const info = await device.createShaderModule({ code: shader.code }).getCompilationInfo();
  await device.popErrorScope();
  expect(info.messages.map(({ lineNum, message }) => `${shader.locate(lineNum)}: ${message}`)).toEqual([]);
});
