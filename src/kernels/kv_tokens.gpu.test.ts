// Attention over keys and values that were quantized as they were stored, against the references: the pages' words mean the same to
// both, so the bounds are those of f32 pages.

import { expect, test } from "vitest";
import { type KvTokenType, kvPageTokens } from "../base/kv_types.ts";
import { openDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { programRequest } from "../graph/program.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { testLayout } from "../testing/kernel_cases/page_layout.ts";
import { nmseBound, runCase } from "../testing/kernel_harness.ts";
import { shaderFiles } from "../testing/shader_files.ts";
import { execute, type Found } from "../tuning/execute.ts";
import { makeOperands } from "../tuning/operands.ts";
import { attentionDecode } from "./attention_decode.ts";
import { attentionPrefill } from "./attention_prefill.ts";
import { heads } from "./heads.ts";
import { type Kernel, type KernelCase, operandStride } from "./kernel.ts";
import { kvStore } from "./kv_store.ts";

/** A case with something else in an operand. */
interface Broken {
  readonly deviceClass: "cpu" | "gpu";
  readonly operand: string;
  readonly change: (bytes: Uint8Array<ArrayBuffer>) => void;
}

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
  const pipelines = createPipelineCache(device, shaderFiles);
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

  const first = async <A>(kernel: Kernel<A>, kernelCase: KernelCase<A>, how: Broken): Promise<Found> => {
    const target = { caps, deviceClass: how.deviceClass, precision: "f32", maxRows: kernelCase.rows } as const;
    const { bytes, step, contextTokens } = makeOperands(kernel, kernelCase, target);
    const outputs = kernel.outputs(kernelCase.attributes);
    const made = outputs.map((spec, index) => [`output${index}`, new Uint8Array(4 * kernelCase.rows * operandStride(spec))] as const);
    const operands = new Map([...bytes, ...made].map(([name, one]) => [name, { bytes: one.slice() }]));
    how.change(operands.get(how.operand)?.bytes ?? expect.fail(how.operand));
    const [variant] = kernel.variants(kernelCase.attributes, target);
    const pipeline = await pipelines.get(programRequest(variant, target.maxRows));
    return execute(device, { variant, pipeline, shape: { rows: kernelCase.rows, outputRows: 1, contextTokens }, operands, step });
  };
  for (const type of ["q8_0", "bfp4"] satisfies KvTokenType[]) {
    // One page of 8 tokens, heads of 8: keys and values are units of 16 or 8 words of codes, then a shared word for each token.
    const kv = { ...testLayout({ numKvHeads: 1, headDim: 8, pageTokens: 8, tokens: 8 }), type };
    const words = 8 * (type === "q8_0" ? 2 : 1);
    const strange = type === "q8_0" ? 0x7e00 : 0xff;
    for (const deviceClass of ["cpu", "gpu"] as const) {
      test(`${type}, NaN and infinity on the ${deviceClass} program: a block of them is no number, and neither is what attends to it`, async () => {
        for (const bits of [0x7fc00000, 0xffc00001, 0x7f800000, 0xff800000]) {
          const change = (bytes: Uint8Array<ArrayBuffer>): void => new DataView(bytes.buffer).setUint32(4, bits, true);
          const stored = await first(kvStore, { name: "", attributes: { kv }, rows: 1 }, { deviceClass, operand: "input0", change });
          const found = new Uint32Array(stored.get("kv")?.buffer ?? expect.fail("kv"));
          // Pages lie shuffled, and others are garbage.
          expect([...found.keys()].filter((at) => at % (words + 8) === words && found[at] === strange).length).toBe(1);
        }
        const attributes = { kv, numHeads: 1, scale: 1 };
        for (const value of [0, 1]) {
          const change = (bytes: Uint8Array<ArrayBuffer>): void => {
            const all = new Uint32Array(bytes.buffer);
            for (let unit = value; unit * (words + 8) < all.length; unit += 2) all[unit * (words + 8) + words + 2] = strange;
          };
          const how = { deviceClass, operand: "kv", change };
          const whole = await first(attentionPrefill, { name: "", attributes, rows: 1, pastTokens: 6 }, how);
          const ranges = { ...attributes, splits: 1, splitTokens: 8 };
          const cut = await first(attentionDecode, { name: "", attributes: ranges, rows: 1, pastTokens: 6, sequences: "each" }, how);
          for (const one of [whole, cut]) {
            expect(new Float32Array(one.get("output0")?.buffer ?? expect.fail("output")).some((number) => !Number.isFinite(number))).toBe(
              true,
            );
          }
        }
      });
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
