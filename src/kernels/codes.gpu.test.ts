// Codes of activations, bit for bit: whoever makes them, they are those of `quantize`, and no NaN becomes a number.

import { expect, test } from "vitest";
import { rowStride } from "../base/layout.ts";
import type { Caps } from "../gpu/caps.ts";
import { openDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { programRequest } from "../graph/program.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { attentionMergeCases } from "../testing/kernel_cases/attention_merge.ts";
import { attentionPrefillCases } from "../testing/kernel_cases/attention_prefill.ts";
import { gatherRowsCases } from "../testing/kernel_cases/gather_rows.ts";
import { gluCases } from "../testing/kernel_cases/glu.ts";
import { rmsNormCases } from "../testing/kernel_cases/rms_norm.ts";
import { execute, type Found, type GpuOperand } from "../tuning/execute.ts";
import { elementType, makeOperands, type Operands } from "../tuning/operands.ts";
import { attentionMerge } from "./attention_merge.ts";
import { attentionPrefill } from "./attention_prefill.ts";
import type { Quantized } from "./codes.ts";
import { gatherRows } from "./gather_rows.ts";
import { glu } from "./glu.ts";
import { type Kernel, type KernelCase, type KernelTarget, operandStride } from "./kernel.ts";
import { quantize } from "./quantize.ts";
import { rmsNorm } from "./rms_norm.ts";
import { shaderFiles } from "../testing/shader_files.ts";

interface On {
  readonly device: GPUDevice;
  readonly target: KernelTarget;
}

const gpu = await openTestGpu();
if (gpu === undefined) {
  test("codes", (context) => context.skip(skipReason()));
} else {
  const { device, caps } = await openDevice(gpu, { maxStorageBuffers: 8 });
  for (const deviceClass of ["cpu", "gpu"] as const) {
    const on = (rows: number): On => ({ device, target: targetOf(caps, deviceClass, rows) });
    declareEqual(on, rmsNorm, rmsNormCases);
    declareEqual(on, glu, gluCases);
    declareEqual(on, gatherRows, gatherRowsCases);
    declareEqual(on, attentionMerge, attentionMergeCases);
    declareEqual(on, attentionPrefill, attentionPrefillCases);
    test(`${deviceClass}: a block with NaN or infinity has no scale, its neighbours have theirs`, () => checkNonNumbers(on(1)));
  }
}

function targetOf(caps: Caps, deviceClass: "cpu" | "gpu", maxRows: number): KernelTarget {
  return { caps, deviceClass, precision: "int8", maxRows };
}

/** Runs the first variant of a case on its operands, some of them replaced. */
async function run<A>(
  { device, target }: On,
  kernel: Kernel<A>,
  kernelCase: KernelCase<A>,
  inputs: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
): Promise<Found> {
  const operands: Operands = makeOperands(kernel, kernelCase, target);
  const bound = new Map<string, GpuOperand>();
  for (const [name, bytes] of [...operands.bytes, ...inputs]) bound.set(name, { bytes });
  for (const [index, spec] of kernel.outputs(kernelCase.attributes).entries()) {
    const rows = spec.rows === "rows" ? operands.args.rows.length : operands.args.outputRows.length;
    const elements = rows * operandStride(spec);
    bound.set(`output${index}`, { bytes: new Uint8Array(elementType(spec.type, target) === "f16" ? 2 * elements : 4 * elements).fill(7) });
  }
  const [variant] = kernel.variants(kernelCase.attributes, target);
  const pipeline = await createPipelineCache(device, shaderFiles).get(programRequest(variant, target.maxRows));
  const shape = { rows: operands.args.rows.length, outputRows: operands.args.outputRows.length, contextTokens: operands.contextTokens };
  return execute(device, { variant, pipeline, shape, operands: bound, step: operands.step });
}

function output(found: Found, index: number): Uint32Array {
  const bytes = found.get(`output${index}`) ?? expect.fail(`output${index}`);
  return new Uint32Array(bytes.buffer);
}

/** Every case that leaves codes beside values: `also` gives those of `quantize` on the values stored beside them, `only` the same. */
function declareEqual<A extends { readonly quantized?: Quantized }>(
  on: (rows: number) => On,
  kernel: Kernel<A>,
  cases: readonly KernelCase<A>[],
): void {
  for (const kernelCase of cases) {
    const { attributes, name, rows } = kernelCase;
    const here = on(rows);
    const also = { ...kernelCase, attributes: { ...attributes, quantized: "also" } as const };
    const only = { ...kernelCase, attributes: { ...attributes, quantized: "only" } as const };
    const [variant] = kernel.variants(attributes, here.target);
    if (attributes.quantized !== "also" || variant === undefined) continue;
    test(`${variant.key}, ${name}: codes of quantize`, async () => {
      const [{ cols }] = kernel.outputs(also.attributes);
      const found = await run(here, kernel, also, new Map());
      const values = found.get("output0") ?? expect.fail("values");
      const count = values.byteLength / 4 / rowStride(cols);
      const alone = await run(
        on(count),
        quantize,
        { name, rows: count, attributes: { cols, over: "rows" } },
        new Map([["input0", values]]),
      );
      expect(output(alone, 0).some((word) => word !== 0)).toBe(true);
      expect(output(found, 1)).toEqual(output(alone, 0));
      expect(output(found, 2)).toEqual(output(alone, 1));
      const codes = await run(here, kernel, only, new Map());
      expect(output(codes, 0)).toEqual(output(alone, 0));
      expect(output(codes, 1)).toEqual(output(alone, 1));
    });
  }
}

async function checkNonNumbers(on: On): Promise<void> {
  const blocks = [
    [0x7fc00000, Number.NaN],
    [0x7f800000, Number.NaN],
    [0xff800001, Number.NaN],
    [0xff800000, Number.NaN],
    [0x7f7fffff, 3.4028234663852886e38 / 127],
    [0, 1 / 127],
  ] as const;
  const cols = 32 * blocks.length;
  const words = new Uint32Array(cols).fill(0x3f800000);
  for (const [block, [bits]] of blocks.entries()) words[block * 32 + block * 3] = bits;
  const found = await run(
    on,
    quantize,
    { name: "", rows: 1, attributes: { cols, over: "rows" } },
    new Map([["input0", new Uint8Array(words.buffer)]]),
  );
  const scales = new Float32Array(output(found, 1).buffer);
  for (const [block, [, scale]] of blocks.entries()) {
    if (Number.isNaN(scale)) expect(scales[block], `block ${block}`).toBeNaN();
    else expect(Math.abs(scales[block] / scale - 1), `block ${block}`).toBeLessThan(1e-6);
  }
  const codes = new Int8Array(output(found, 0).buffer);
  expect(codes[4 * 32 + 12]).toBe(127);
  expect([...codes.subarray(5 * 32)].filter((code) => code !== 127)).toEqual([0]);
}
