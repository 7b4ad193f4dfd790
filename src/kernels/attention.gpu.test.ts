// The newest token in the prologue of attention_decode is what all later steps read from the pages: rounded as they are, in its place.

import { expect, test } from "vitest";
import type { KvType } from "../base/layout.ts";
import { type OpenDevice, openDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { programRequest } from "../graph/program.ts";
import { gpuOrSkip } from "../testing/gpu.ts";
import { headsAttributes } from "../testing/kernel_cases/heads.ts";
import { execute, type Found } from "../tuning/execute.ts";
import { makeOperands, type Operands } from "../tuning/operands.ts";
import { attentionDecode } from "./attention_decode.ts";
import { heads } from "./heads.ts";
import { type Kernel, operandStride } from "./kernel.ts";
import { shaderFiles } from "../testing/shader_files.ts";

/** Runs a kernel's first variant for GPUs on operands; `bytes` replace some. */
async function run<A>(
  { device, caps }: OpenDevice,
  { kernel, attributes, operands }: { kernel: Kernel<A>; attributes: A; operands: Operands },
  bytes: Found = new Map(),
): Promise<Found> {
  const target = { caps, deviceClass: "gpu", precision: "f32", maxRows: 1 } as const;
  const [variant] = kernel.variants(attributes, target);
  const pipeline = await createPipelineCache(device, shaderFiles).get(programRequest(variant, 1));
  const output = new Uint8Array(operandStride(kernel.outputs(attributes)[0]) * 4);
  const all = new Map([...operands.bytes, ["output0", output] as const, ...bytes].map(([name, one]) => [name, { bytes: one }]));
  const shape = { rows: 1, outputRows: 1, contextTokens: operands.contextTokens };
  return execute(device, { variant, pipeline, shape, operands: all, step: operands.step });
}

function floats(found: Found, name: string): Float32Array {
  return new Float32Array(found.get(name)?.buffer ?? expect.fail(name));
}

for (const type of ["f32", "f16"] satisfies KvType[]) {
  test.for([0, 40])(`the newest key and value are seen as ${type} pages hold them, at %i`, async (position, context) => {
    const opened = await openDevice(await gpuOrSkip(context), { maxStorageBuffers: 8 });
    if (type === "f16" && !opened.caps.f16) context.skip("this adapter has no shader-f16");
    const prologue = headsAttributes({ heads: 4, kvHeads: 2, headDim: 64, norms: true, type }, position + 1);
    const attributes = { kv: prologue.kv, numHeads: 4, scale: 1 / 8, splits: 2, splitTokens: 32 };
    const target = { caps: opened.caps, deviceClass: "gpu", precision: "f32", maxRows: 1 } as const;
    const stepCase = { name: "", attributes: prologue, rows: 1, pastTokens: position };
    const operands = makeOperands(heads, stepCase, target);
    const fused = await run(opened, { kernel: attentionDecode, attributes: { ...attributes, prologue }, operands });
    expect(fused.get("kv")).not.toEqual(operands.bytes.get("kv"));
    // The same queries, and every key from the pages as the first run left them.
    const made = await run(opened, { kernel: heads, attributes: prologue, operands });
    const bytes: Found = new Map([
      ["input0", made.get("output0") ?? expect.fail("queries")],
      ["kv", fused.get("kv") ?? expect.fail("pages")],
    ]);
    const plain = floats(await run(opened, { kernel: attentionDecode, attributes, operands }, bytes), "output0");
    const seen = floats(fused, "output0");
    expect(plain.some((value) => value !== 0)).toBe(true);
    const off = Array.from(seen, (value, at) => Math.abs(value - plain[at]) / Math.max(1, Math.abs(plain[at])));
    expect(Math.max(...off)).toBeLessThanOrEqual(2e-5);
    opened.destroy();
  });
}
