// Attention over keys and values that were quantized as they were stored, against the references: the pages' words mean the same to
// both, so the bounds are those of f32 pages.

import { expect, test } from "vitest";
import { type KvTokenType, kvPageTokens } from "../base/kv_types.ts";
import { openDevice } from "../gpu/device.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { testLayout } from "../testing/kernel_cases/page_layout.ts";
import { nmseBound, runCase } from "../testing/kernel_harness.ts";
import { attentionDecode } from "./attention_decode.ts";
import { attentionPrefill } from "./attention_prefill.ts";
import { heads } from "./heads.ts";
import type { Kernel, KernelCase } from "./kernel.ts";

interface Shape {
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
}

const shapes: readonly Shape[] = [
  { numHeads: 4, numKvHeads: 2, headDim: 64 },
  { numHeads: 3, numKvHeads: 3, headDim: 12 },
  { numHeads: 7, numKvHeads: 1, headDim: 80 },
];

const gpu = await openTestGpu();
if (gpu === undefined) {
  test("attention over quantized tokens", (context) => context.skip(skipReason()));
} else {
  const { device, caps } = await openDevice(gpu, { maxStorageBuffers: 8 });
  const check = async <A>(kernel: Kernel<A>, kernelCase: KernelCase<A>, deviceClass: "cpu" | "gpu"): Promise<void> => {
    const target = { caps, deviceClass, precision: "f32", maxRows: kernelCase.rows } as const;
    const results = await runCase(device, kernel, kernelCase, target);
    expect(results.length).toBeGreaterThan(0);
    for (const { key, problems, nmse } of results) {
      expect(problems, key).toEqual([]);
      expect(nmse, key).toBeLessThanOrEqual(nmseBound(target));
    }
  };
  for (const type of ["q8_0", "bfp4"] satisfies KvTokenType[]) {
    for (const { numHeads, numKvHeads, headDim } of shapes) {
      const kv = { ...testLayout({ numKvHeads, headDim, pageTokens: kvPageTokens(type), tokens: 200 }), type };
      const attributes = { kv, numHeads, scale: 1 / Math.sqrt(headDim) };
      for (const deviceClass of ["cpu", "gpu"] as const) {
        test(`${type}, heads of ${headDim}, on the ${deviceClass} program`, async () => {
          await check(attentionPrefill, { name: "", attributes, rows: 37, pastTokens: 61 }, deviceClass);
          const ranges = { ...attributes, splits: 3, splitTokens: 32 };
          await check(attentionDecode, { name: "", attributes: ranges, rows: 2, pastTokens: 131, sequences: "each" }, deviceClass);
        });
      }
    }
  }

  test("no kernel writes quantized tokens by the way", () => {
    const kv = { ...testLayout({ numKvHeads: 1, headDim: 8, pageTokens: 32, tokens: 32 }), type: "q8_0" } as const;
    const turned = { headDim: 8, rotaryDim: 8, pairing: "half", maxPositions: 32 } as const;
    const stacked = { ...turned, kv, numHeads: 1, keyStart: 8, valueStart: 16, cols: 24 };
    const target = { caps, deviceClass: "gpu", precision: "f32", maxRows: 1 } as const;
    expect(heads.variants(stacked, target)).toEqual([]);
    expect(attentionDecode.variants({ kv, numHeads: 1, scale: 1, splits: 1, splitTokens: 64, prologue: stacked }, target)).toEqual([]);
  });
}
