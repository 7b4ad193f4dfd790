import { describe, expect, test } from "vitest";
import { q4_0 } from "../formats/q4_0.ts";
import { plainCaps } from "../testing/plain_caps.ts";
import type { Caps } from "../gpu/caps.ts";
import type { KernelTarget } from "./kernel.ts";
import { linear, type LinearAttributes } from "./linear.ts";
import { productCosts, productOrder, rowTiers } from "./product_order.ts";

const caps: Caps = {
  ...plainCaps,
  subgroups: { min: 32, max: 32 },
  subgroupMatrix: [{ component: "f16", result: "f32", m: 16, n: 16, k: 16 }],
  maxWorkgroupStorageBytes: 32768,
};

function targetOf(deviceClass: "cpu" | "gpu", maxRows: number, precision: KernelTarget["precision"] = "f32"): KernelTarget {
  return { caps: { ...caps, deviceClass }, deviceClass, precision, maxRows };
}

function product(n: number, k: number, activations: "float" | "int8" = "float"): LinearAttributes {
  return { format: q4_0, k, n, bias: false, outStart: 0, outCols: n, over: "rows", out: "act", activations };
}

test.each([
  [1, "gemv"],
  [8, "gemv"],
  [16, "skinny"],
  [32, "skinny"],
  [64, "gemm"],
  [256, "gemm"],
])("a GPU takes %i rows of a large matrix by %s", (rows, family) => {
  expect(productOrder(product(4096, 4096), targetOf("gpu", rows))[0]).toBe(family);
});

// Measured in LAB.md 12 on both software drivers.
test.each([
  [1, 1024, 1024, "gemv"],
  [4, 1024, 1024, "skinny"],
  [12, 1024, 1024, "skinny"],
  [32, 1024, 1024, "gemm"],
  [2, 256, 2048, "gemv"],
  [8, 256, 2048, "skinny"],
  [16, 2048, 512, "gemm"],
])("a CPU driver takes %i rows of %i x %i by %s", (rows, n, k, family) => {
  expect(productOrder(product(n, k), targetOf("cpu", rows))[0]).toBe(family);
});

describe.each(["cpu", "gpu"] as const)("on a %s", (deviceClass) => {
  const cases = [1, 2, 5, 8, 16, 31, 64, 256].flatMap((rows) =>
    [product(64, 64), product(200, 2048), product(14336, 4096), product(4096, 14336, "int8")].map((attributes) => ({ rows, attributes })),
  );

  test("families come in the order of their costs, and never none", () => {
    for (const { rows, attributes } of cases) {
      const target = targetOf(deviceClass, rows);
      const costs = productCosts(attributes, target);
      const order = productOrder(attributes, target);
      expect(order.length).toBeGreaterThan(0);
      expect(order.map((family) => costs[family])).toEqual(order.map((family) => costs[family]).toSorted((a, b) => a - b));
      expect(costs[order[0]]).toBe(Math.min(...Object.values(costs)));
    }
  });

  test("variants have keys of their own, and the first needs nothing special", () => {
    for (const precision of ["f32", "f16", "int8"] as const) {
      for (const { rows, attributes } of cases) {
        const activations = precision === "int8" ? "int8" : "float";
        const variants = linear.variants({ ...attributes, activations }, targetOf(deviceClass, rows, precision));
        expect(new Set(variants.map(({ key }) => key)).size).toBe(variants.length);
        expect(variants[0].header.enables?.filter((name) => name !== "f16")).toEqual([]);
      }
    }
  });

  test("tiers ascend to the program's rows", () => {
    for (const maxRows of [1, 2, 4, 8, 9, 16, 32, 33, 256, 512]) {
      const tiers = rowTiers(targetOf(deviceClass, maxRows));
      expect(tiers.at(-1)).toBe(maxRows);
      expect([...new Set(tiers)].toSorted((a, b) => a - b)).toEqual(tiers);
    }
  });
});
