// What is no number stays none through pages that are quantized when they are full: their words are the reference's, and who reads them has NaN.

import { expect, test } from "vitest";
import { type OpenDevice, openDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { programRequest } from "../graph/program.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { testLayout } from "../testing/kernel_cases/page_layout.ts";
import { shaderFiles } from "../testing/shader_files.ts";
import { execute, type Found } from "../tuning/execute.ts";
import { expectedPages } from "../tuning/kv_page_operands.ts";
import { makeOperands, type Operands } from "../tuning/operands.ts";
import { attentionDecode } from "./attention_decode.ts";
import type { Kernel, KernelTarget } from "./kernel.ts";
import { kvQuantize } from "./kv_quantize.ts";
import { kvStore } from "./kv_store.ts";

const gpu = await openTestGpu();
if (gpu === undefined) {
  test("pages of non-numbers", (context) => context.skip(skipReason()));
} else {
  const opened = await openDevice(gpu, { maxStorageBuffers: 8 });
  for (const deviceClass of ["cpu", "gpu"] as const) for (const type of ["q4", "kivi2"] as const) declare(opened, deviceClass, type);
}

async function run<A>(
  opened: OpenDevice,
  kernel: Kernel<A>,
  attributes: A,
  given: { operands: Operands; target: KernelTarget },
): Promise<Found> {
  const { operands, target } = given;
  const [variant] = kernel.variants(attributes, target);
  const pipeline = await createPipelineCache(opened.device, shaderFiles).get(programRequest(variant, target.maxRows));
  const shape = { rows: operands.args.rows.length, outputRows: 1, contextTokens: operands.contextTokens };
  const outputs = kernel.outputs(attributes).map(({ cols }, index) => [`output${index}`, new Uint8Array(cols * 4)] as const);
  const bound = new Map([...operands.bytes, ...outputs].map(([name, bytes]) => [name, { bytes }]));
  return execute(opened.device, { variant, pipeline, shape, operands: bound, step: operands.step });
}

function declare(opened: OpenDevice, deviceClass: "cpu" | "gpu", type: "q4" | "kivi2"): void {
  const kv = { ...testLayout({ numKvHeads: 2, headDim: 64, pageTokens: 32, tokens: 96 }), type };
  const targetOf = (maxRows: number): KernelTarget => ({ caps: opened.caps, deviceClass, precision: "f32", maxRows });

  test.each([0x7c00, 0xfc00, 0x7e01])(`${type} on the ${deviceClass} program: %i in a page`, async (half) => {
    const target = targetOf(40);
    const operands = makeOperands(kvQuantize, { name: "", attributes: { kv }, rows: 40, pastTokens: 0 }, target);
    const [recent] = operands.args.inputs;
    // Token 5, head 1, dimension 10 of K, and of V: [place][K|V][kv head][dim / 2].
    const words = new Uint32Array(operands.bytes.get("input0")?.buffer ?? expect.fail("no input"));
    for (const which of [0, 1]) words[5 * recent.cols + which * 64 + 32 + 5] = half;
    const { kv: cache } = operands.args;
    if (!cache || !operands.pages) expect.fail("no cache");
    const strange = half === 0x7e01 ? Number.NaN : half === 0x7c00 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    const at = ((1 * cache.maxTokens + 5) * 2 + 1) * 64;
    for (const which of [cache.keys, cache.values]) which.set([strange, 0], at + 10);
    const found = await run(opened, kvQuantize, { kv }, { operands, target });
    const want = expectedPages({ bytes: operands.bytes, pages: operands.pages }, operands.args) ?? expect.fail("no pages");
    expect(found.get("kv")).toEqual(new Uint8Array(want.kv.slice().buffer));
  });

  test(`${type} on the ${deviceClass} program: attention over a page with a step that is no number, and over a tail of none`, async () => {
    const target = targetOf(1);
    const attributes = { kv, numHeads: 4, scale: 0.125, splits: 4, splitTokens: 32 };
    const place = (operands: Operands, page: number): number =>
      (operands.pages?.table[kv.maxPages + page] ?? 0) * (operands.bytes.get("kv")?.length ?? 0);
    for (const operand of ["kv", "tail"] as const) {
      const operands = makeOperands(attentionDecode, { name: "", attributes, rows: 1, pastTokens: 70, sequences: "each" }, target);
      const bytes = operands.bytes.get(operand) ?? expect.fail(operand);
      const view = new Uint32Array(bytes.buffer);
      // Of each token in the tail: of one alone, a driver's exp may make a number.
      if (operand === "tail") for (let token = 0; token < 32; token++) view[2 * 2 * 32 * 32 + token * 32] = 0x7e00;
      else view[place(operands, 0) / 4 / (operands.pages?.pageCount ?? 1) + 32 * (type === "q4" ? 8 : 4) + 7] = 0x7e00;
      const found = await run(opened, attentionDecode, attributes, { operands, target });
      const partials = new Float32Array(found.get("output0")?.buffer ?? new ArrayBuffer(0));
      expect(
        partials.some((value) => Number.isNaN(value)),
        operand,
      ).toBe(true);
    }
  });

  test(`${type} on the ${deviceClass} program: what f16 cannot hold is the largest that it can`, async () => {
    const target = targetOf(1);
    const operands = makeOperands(kvStore, { name: "", attributes: { kv }, rows: 1, pastTokens: 31, sequences: "each" }, target);
    const { kv: cache } = operands.args;
    if (!cache || !operands.pages) expect.fail("no cache");
    for (const [index, to] of [cache.keys, cache.values].entries()) {
      const floats = new Float32Array(operands.bytes.get(`input${index}`)?.buffer ?? expect.fail("no input"));
      floats.set([1e30, -70000, 65504]);
      const at = (1 * cache.maxTokens + 31) * 128;
      to.set(floats.subarray(0, 128), at);
      to.set([65504, -65504, 65504], at);
    }
    const found = await run(opened, kvStore, { kv }, { operands, target });
    const want = expectedPages({ bytes: operands.bytes, pages: operands.pages }, operands.args) ?? expect.fail("no pages");
    for (const name of ["kv", "tail"] as const) expect(found.get(name), name).toEqual(new Uint8Array(want[name].slice().buffer));
  });
}
