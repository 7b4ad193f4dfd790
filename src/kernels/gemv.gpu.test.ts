// The matrix-vector product as GPUs get it: software drivers are spared the unrolled columns, so the conformance test does not see
// them; nor does it see shuffles, as lanes of one row are 8 apart and these drivers' subgroups no wider. Few and small cases: they take seconds to compile, lavapipe many.

import { expect, test } from "vitest";
import { openDevice } from "../gpu/device.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { runCase } from "../testing/kernel_harness.ts";
import type { Kernel, KernelTarget, Precision, Variant } from "./kernel.ts";
import { gemvVariants } from "./gemv.ts";
import { q4_0 } from "../formats/q4_0.ts";
import { linear, type LinearAttributes } from "./linear.ts";

const gpu = await openTestGpu();
function attributesOf(precision: Precision): LinearAttributes {
  const activations = precision === "int8" ? "int8" : "float";
  return { format: q4_0, k: 96, n: 45, bias: false, outStart: 0, outCols: 45, over: "rows", out: "act", activations };
}

/** What a product takes along, in registers. */
const along: readonly { readonly name: string; readonly rows: number; readonly more: Partial<LinearAttributes> }[] = [
  { name: "norm", rows: 5, more: { norm: { eps: 1e-6 }, bias: true } },
  { name: "norm and gate", rows: 1, more: { norm: { eps: 1e-6 }, pair: { activation: "silu", start: 48 } } },
  { name: "ranges of whole blocks", rows: 1, more: { merge: { numHeads: 3, headDim: 32, splits: 4, splitTokens: 16 }, residual: true } },
  { name: "ranges of parts of blocks", rows: 1, more: { merge: { numHeads: 8, headDim: 12, splits: 4, splitTokens: 16 } } },
];

/** The subgroup variant with lanes of a row only two apart, so that the narrowest subgroups have something to exchange. */
function closeLanes(attributes: LinearAttributes, target: KernelTarget): readonly Variant[] {
  const rows = 2;
  const gridX = Math.ceil(attributes.n / rows);
  const found = gemvVariants(attributes, target).find(({ key }) => key.includes("/subgroup/rows8/"));
  if (!found) return [];
  const { consts } = found.header;
  const lanes = Number(consts["WG"]);
  const slots = (rows * lanes) / Math.max(rows, target.caps.subgroups?.min ?? 1);
  const header = { ...found.header, consts: { ...consts, ROWS: rows, GRID_X: gridX, SLOTS: slots } };
  return [{ ...found, key: found.key.replace("rows8", "rows2"), header, grid: () => [gridX, 1, 1] }];
}

/** Two weight rows to a lane, the more difficult; sums by workgroup memory and by subgroups. */
const pairs: Kernel<LinearAttributes> = {
  ...linear,
  variants: (attributes, target) => gemvVariants(attributes, target).filter(({ key }) => key.includes("x2/")),
};

if (gpu === undefined) {
  test("unrolled columns", (context) => context.skip(skipReason()));
} else {
  const { device, caps } = await openDevice(gpu, { maxStorageBuffers: 8 });
  const slow = /llvmpipe/i.test(caps.description);
  const hardware = { ...caps, software: false };
  const cases = [
    { precision: "f32", rows: 5 },
    { precision: "int8", rows: 19 },
  ] as const satisfies readonly { precision: Precision; rows: number }[];
  test.for(cases)("$rows rows in unrolled columns, $precision", async ({ precision, rows }, context) => {
    context.skip(slow, "lavapipe takes ten seconds to compile each");
    const target: KernelTarget = { caps: hardware, deviceClass: "gpu", precision, maxRows: rows };
    const attributes = attributesOf(precision);
    const results = await runCase(device, pairs, { name: "unrolled", attributes, rows }, target);
    expect(results.length).toBe(caps.subgroups ? 2 : 1);
    for (const { key, nmse, problems } of results) {
      expect(problems, key).toEqual([]);
      expect(nmse, key).toBeLessThanOrEqual(1e-6);
    }
  });
  test.for(along)("$name before unrolled columns", async ({ name, rows, more }, context) => {
    context.skip(slow, "lavapipe takes ten seconds to compile each");
    const target: KernelTarget = { caps: hardware, deviceClass: "gpu", precision: "f32", maxRows: rows };
    const attributes = { ...attributesOf("f32"), ...more };
    const first: Kernel<LinearAttributes> = { ...linear, variants: (...given) => gemvVariants(...given).slice(0, 1) };
    const [{ nmse, problems }] = await runCase(device, first, { name, attributes, rows, pastTokens: 65 }, target);
    expect(problems).toEqual([]);
    expect(nmse).toBeLessThanOrEqual(1e-6);
  });
  test("sums over lanes of a subgroup, 5 rows", async (context) => {
    context.skip(caps.subgroups === undefined, "this adapter has no subgroups");
    const target: KernelTarget = { caps, deviceClass: "gpu", precision: "f32", maxRows: 5 };
    const close: Kernel<LinearAttributes> = { ...linear, variants: closeLanes };
    const results = await runCase(device, close, { name: "close lanes", attributes: attributesOf("f32"), rows: 5 }, target);
    expect(results.length).toBe(1);
    for (const { key, nmse, problems } of results) {
      expect(problems, key).toEqual([]);
      expect(nmse, key).toBeLessThanOrEqual(1e-6);
    }
  });
}
