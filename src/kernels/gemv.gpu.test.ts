// The matrix-vector product as GPUs get it: software drivers are spared the unrolled columns, so the conformance test does not see
// them. Few and small cases: they take seconds to compile, lavapipe many.

import { expect, test } from "vitest";
import { openDevice } from "../gpu/device.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { runCase } from "../testing/kernel_harness.ts";
import type { Kernel, KernelTarget, Precision } from "./kernel.ts";
import { gemvVariants } from "./gemv.ts";
import { q4_0 } from "../formats/q4_0.ts";
import { linear, type LinearAttributes } from "./linear.ts";

const gpu = await openTestGpu();
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
    const attributes: LinearAttributes = {
      format: q4_0,
      k: 96,
      n: 45,
      bias: false,
      outStart: 0,
      outCols: 45,
      over: "rows",
      out: "act",
      activations: precision === "int8" ? "int8" : "float",
    };
    const results = await runCase(device, pairs, { name: "unrolled", attributes, rows }, target);
    expect(results.length).toBe(caps.subgroups ? 2 : 1);
    for (const { key, nmse, problems } of results) {
      expect(problems, key).toEqual([]);
      expect(nmse, key).toBeLessThanOrEqual(1e-6);
    }
  });
}
