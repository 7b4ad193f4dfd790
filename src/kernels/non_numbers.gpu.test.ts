// What is no number stays none through every kernel between weights and logits, so that `pick` sees it: a row that reads NaN has NaN.

import { expect, test } from "vitest";
import { f16ToF32 } from "../base/dtype.ts";
import { bf16, f16, f32 } from "../formats/float.ts";
import { q8_0 } from "../formats/q8_0.ts";
import type { Caps } from "../gpu/caps.ts";
import { openDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { programRequest } from "../graph/program.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { execute, type GpuOperand } from "../tuning/execute.ts";
import { elementType, makeOperands } from "../tuning/operands.ts";
import { add } from "./add.ts";
import { attentionDecode } from "./attention_decode.ts";
import { attentionMerge } from "./attention_merge.ts";
import { glu } from "./glu.ts";
import { heads } from "./heads.ts";
import { type Kernel, type KernelCase, type KernelTarget, operandStride } from "./kernel.ts";
import { linear } from "./linear.ts";
import { neuronDown, neuronUp } from "./neurons.ts";
import { rmsNorm } from "./rms_norm.ts";
import { rope } from "./rope.ts";
import { shaderFiles } from "../testing/shader_files.ts";

const gpu = await openTestGpu();
if (gpu === undefined) {
  test("non-numbers", (context) => context.skip(skipReason()));
} else {
  const { device, caps } = await openDevice(gpu, { maxStorageBuffers: 8 });
  for (const deviceClass of ["cpu", "gpu"] as const) {
    for (const precision of ["f32", "f16", "int8"] as const) {
      if (precision !== "f16" || caps.f16) declare(device, caps, { deviceClass, precision });
    }
  }
}

function declare(device: GPUDevice, caps: Caps, how: Pick<KernelTarget, "deviceClass" | "precision">): void {
  const passes = <A>(kernel: Kernel<A>, attributes: A, operands: readonly string[]): void => {
    for (const operand of operands) {
      test(`${how.precision} ${kernel.name} on the ${how.deviceClass} program: NaN and infinity of ${operand}`, async () => {
        const target = { caps, ...how, maxRows: 2 };
        for (const bits of [0x7fc00000, 0xffc00001, 0x7f800000]) {
          const output = await run(device, kernel, { name: "", attributes, rows: 2 }, { target, operand, bits });
          // Infinity may also stay what it is.
          expect(
            output.some((value) => !Number.isFinite(value)),
            bits.toString(16),
          ).toBe(true);
        }
      });
    }
  };
  const product = { k: 36, n: 20, bias: false, outStart: 0, outCols: 20, over: "rows", out: "act" } as const;
  if (how.precision === "int8") {
    for (const format of [f32, q8_0]) passes(linear, { ...product, format, k: 64, activations: "int8" }, ["input1"]);
    passes(linear, { ...product, format: f32, activations: "int8" }, ["weight0"]);
    return;
  }
  passes(add, { cols: 33 }, ["input0", "input1"]);
  passes(rmsNorm, { cols: 36, groups: 1, eps: 1e-6 }, ["input0"]);
  passes(rope, { heads: 2, headDim: 8, rotaryDim: 8, pairing: "half", maxPositions: 64 }, ["input0"]);
  const kv = { pageTokens: 32, numKvHeads: 1, headDim: 8, type: "f32", maxPages: 2 } as const;
  const turned = { headDim: 8, rotaryDim: 8, pairing: "half", maxPositions: 64 } as const;
  const stacked = { ...turned, kv, numHeads: 1, keyStart: 8, valueStart: 16, cols: 24 };
  passes(heads, stacked, ["input0"]);
  passes(heads, { ...stacked, qNorm: { eps: 1e-6 }, kNorm: { eps: 1e-6 } }, ["input0", "vector0"]);
  if (how.deviceClass === "gpu") {
    passes(attentionDecode, { kv, numHeads: 1, scale: 1, splits: 1, splitTokens: 64, prologue: stacked }, ["input0"]);
  }
  passes(attentionMerge, { kv, numHeads: 1, scale: 1, splits: 1, splitTokens: 64 }, ["input0"]);
  for (const format of [f32, f16, bf16]) passes(linear, { ...product, format }, ["input0"]);
  passes(linear, { ...product, format: f32 }, ["weight0"]);
  passes(linear, { ...product, format: f32, residual: true }, ["input0", "input1"]);
  for (const activation of ["silu", "gelu", "relu"] as const) {
    passes(glu, { cols: 33, activation }, ["input0", "input1"]);
    passes(linear, { ...product, format: f32, pair: { activation, start: 24 } }, ["input0", "weight0"]);
  }
  if (how.deviceClass === "gpu") passes(linear, { ...product, format: f32, norm: { eps: 1e-6 } }, ["input0", "vector0"]);
  for (const slots of [2, 3]) {
    const bundles = { format: f32, hidden: 32, neurons: 32, slots } as const;
    passes(neuronUp, { ...bundles, activation: "relu" }, ["input0", "weight0"]);
    passes(neuronDown, bundles, ["input0", "weight0"]);
  }
}

interface Broken {
  readonly target: KernelTarget;
  readonly operand: string;
  /** Of the first element of the operand. */
  readonly bits: number;
}

/** Output of the first variant, one number of an operand replaced. */
async function run<A>(
  device: GPUDevice,
  kernel: Kernel<A>,
  kernelCase: KernelCase<A>,
  { target, operand, bits }: Broken,
): Promise<Float32Array> {
  const { bytes, step, args, contextTokens } = makeOperands(kernel, kernelCase, target);
  const [spec] = kernel.outputs(kernelCase.attributes);
  const half = elementType(spec.type, target) === "f16";
  const bound = new Map<string, GpuOperand>([...bytes].map(([name, one]) => [name, { bytes: one.slice() }]));
  bound.set("output0", { bytes: new Uint8Array(2 * operandStride(spec) * (half ? 2 : 4)) });
  const changed = bound.get(operand)?.bytes ?? expect.fail(operand);
  const input = kernel.operands(kernelCase.attributes).inputs?.[Number(operand.replace("input", ""))];
  if (input && elementType(input.type, target) === "f16")
    new DataView(changed.buffer).setUint16(0, bits >> 16 === 0x7f80 ? 0x7c00 : 0x7e00, true);
  else new DataView(changed.buffer).setUint32(operand === "input0" && kernel.name === "attention_merge" ? 16 : 0, bits, true);
  const [variant] = kernel.variants(kernelCase.attributes, target);
  const pipeline = await createPipelineCache(device, shaderFiles).get(programRequest(variant, target.maxRows));
  const shape = { rows: args.rows.length, outputRows: args.outputRows.length, contextTokens };
  const found = await execute(device, { variant, pipeline, shape, operands: bound, step });
  const output = found.get("output0") ?? expect.fail("output0");
  return half ? Float32Array.from(new Uint16Array(output.buffer), f16ToF32) : new Float32Array(output.buffer);
}
