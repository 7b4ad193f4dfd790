// Products by tables of sums, for every format whose codes they can look up: an odd number of rows, and K that ends inside a tile.

import { expect, test } from "vitest";
import type { WeightFormat } from "../formats/format.ts";
import { allFormats } from "../formats/index.ts";
import { openDevice } from "../gpu/device.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { runCase } from "../testing/kernel_harness.ts";
import { lutVariants } from "./gemv_lut.ts";
import type { Kernel } from "./kernel.ts";
import { linear, type LinearAttributes } from "./linear.ts";

const all = await allFormats();
const formats = all.filter(({ codeBits }) => codeBits !== undefined);

function attributesOf(format: WeightFormat): LinearAttributes {
  return { format, k: 768, n: 131, bias: false, outStart: 0, outCols: 131, over: "rows", out: "act" };
}

const gpu = await openTestGpu();
if (gpu === undefined) {
  test("tables of sums", (context) => context.skip(skipReason()));
} else {
  const { device, caps } = await openDevice(gpu, { maxStorageBuffers: 8 });
  const lut: Kernel<LinearAttributes> = { ...linear, variants: lutVariants };
  test.for(formats)("$name by tables of sums", async (format) => {
    const kernelCase = { name: format.name, attributes: attributesOf(format), rows: 1 };
    const results = await runCase(device, lut, kernelCase, { caps, deviceClass: "gpu", precision: "f32", maxRows: 1 });
    expect(results.length).toBe(1);
    for (const { key, nmse, problems } of results) {
      expect(problems, key).toEqual([]);
      expect(nmse, key).toBeLessThanOrEqual(1e-6);
    }
  });
  test("are no choice for CPU drivers, more rows or codes of bytes", () => {
    const target = { caps, deviceClass: "gpu", precision: "f32", maxRows: 1 } as const;
    for (const format of all) {
      const attributes = attributesOf(format);
      expect(lutVariants(attributes, target).length, format.name).toBe(format.codeBits === undefined ? 0 : 1);
      expect(lutVariants(attributes, { ...target, deviceClass: "cpu" })).toEqual([]);
      expect(lutVariants(attributes, { ...target, maxRows: 2 })).toEqual([]);
    }
  });
}
