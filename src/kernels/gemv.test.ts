// Which geometries matrix-vector products have, what they may take along, and that every adapter has the workgroup memory.

import { describe, expect, test } from "vitest";
import { q4_0 } from "../formats/q4_0.ts";
import { plainCaps } from "../testing/plain_caps.ts";
import type { Caps } from "../gpu/caps.ts";
import type { KernelTarget } from "./kernel.ts";
import { linear, type LinearAttributes } from "./linear.ts";

const caps: Caps = { ...plainCaps, subgroups: { min: 32, max: 32 } };

function targetOf(deviceClass: "cpu" | "gpu", maxRows: number, precision: KernelTarget["precision"] = "f32"): KernelTarget {
  return { caps: { ...caps, deviceClass }, deviceClass, precision, maxRows };
}

function product(n: number, k: number, more: Partial<LinearAttributes> = {}): LinearAttributes {
  return { format: q4_0, k, n, bias: false, outStart: 0, outCols: n, over: "rows", out: "act", ...more };
}

const norm = { eps: 1e-6 };
const pair = { activation: "silu", start: 4096 } as const;
const merge = { numHeads: 32, headDim: 128, splits: 16, splitTokens: 32 };

test.each([
  [128, 4096, 2],
  [512, 4096, 2],
  [1024, 4096, 4],
  [2048, 4096, 8],
  [1024, 1024, 8],
  [256, 2048, 4],
  [256, 4096, 2],
])("%i rows of K = %i are shared out %i to a workgroup", (n, k, rows) => {
  expect(linear.variants(product(n, k), targetOf("gpu", 1))[0].key).toMatch(new RegExp(`/rows${rows}/`));
  expect(linear.variants(product(n, k, { pair }), targetOf("gpu", 1))[0].key).toMatch(new RegExp(`/rows${rows}x2/`));
});

test("ranges are joined by workgroups of at least 16 rows", () => {
  const keys = linear.variants(product(256, 4096, { merge, residual: true }), targetOf("gpu", 1)).map(({ key }) => key);
  expect(keys.length).toBeGreaterThan(2);
  for (const key of keys) expect(key).toMatch(/\/rows(16|32)(x2)?\/.*join\/residual/);
});

describe("what a product takes along", () => {
  test.for<[string, Partial<LinearAttributes>, "cpu" | "gpu", number, boolean]>([
    ["a norm", { norm }, "gpu", 1, true],
    ["a norm", { norm }, "gpu", 8, true],
    ["a norm", { norm }, "gpu", 9, false],
    ["a norm", { norm }, "cpu", 1, false],
    ["a gate", { pair }, "gpu", 8, true],
    ["a gate", { pair }, "gpu", 9, false],
    ["a gate", { pair }, "cpu", 1, true],
    ["a norm and a gate", { norm, pair }, "gpu", 1, true],
    ["ranges", { merge }, "gpu", 1, true],
    ["ranges", { merge }, "gpu", 2, false],
    ["ranges", { merge }, "cpu", 1, false],
    ["ranges of output rows", { merge, over: "outputRows" }, "gpu", 1, false],
    ["more ranges than fit", { merge: { ...merge, splits: 64 } }, "gpu", 1, false],
    ["ranges and a norm", { merge, norm }, "gpu", 1, false],
    ["a residual", { residual: true }, "cpu", 256, true],
    ["a residual", { residual: true }, "gpu", 256, true],
  ])("%s: %o on a %s, %i rows: %s", ([, more, deviceClass, maxRows, possible]) => {
    expect(linear.variants(product(4096, 4096, more), targetOf(deviceClass, maxRows)).length > 0).toBe(possible);
    if (more.residual) return;
    const int8 = linear.variants(product(4096, 4096, { ...more, activations: "int8" }), targetOf(deviceClass, maxRows, "int8"));
    expect(int8).toEqual([]);
  });

  test("fits the workgroup memory that every adapter has", () => {
    for (const maxRows of [1, 2, 3, 4, 5, 8]) {
      for (const more of [{}, { norm }, { pair }, { norm, pair }, { merge: { ...merge, splits: 32 } }]) {
        for (const { key, header } of linear.variants(product(4096, 4096, more), targetOf("gpu", maxRows))) {
          if (!key.startsWith("gemv/")) continue;
          const number = (name: string): number => Number(header.consts[name] ?? 0);
          const sums = number("WG") * number("SUMS");
          const before = "norm" in more ? number("WG") + number("WG") / 8 : 3 * number("HEADS") * number("SPLITS");
          expect(4 * (sums + before), key).toBeLessThanOrEqual(16384);
        }
      }
    }
  });
});
