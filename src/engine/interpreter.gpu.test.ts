// The compiled program against the same graph on the kernels' references, value by value: what differs first is named.

import { describe, expect, test } from "vitest";
import { rowStride } from "../base/layout.ts";
import { f16ToF32 } from "../base/dtype.ts";
import { formatByGgufType } from "../testing/formats.ts";
import { BufferLedger } from "../gpu/buffers.ts";
import { openDevice, type OpenDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { createReadback } from "../gpu/readback.ts";
import type { KernelCall } from "../graph/call.ts";
import { firstMismatch, interpret, type InterpreterState } from "../graph/interpret.ts";
import { planLayout } from "../graph/layout.ts";
import { lower } from "../graph/lower.ts";
import { allocateActivations, compileProgram } from "../graph/program.ts";
import type { CpuKv } from "../kernels/kernel.ts";
import { shaderFiles } from "../testing/shader_files.ts";
import { PagedCache } from "../kv/paged_cache.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import type { GgufEntry } from "../testing/gguf_writer.ts";
import { tinyModel, type TinyModelOptions } from "../testing/tiny_model.ts";
import { loadWeights } from "../weights/loader.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { bytesSource, type ByteSource } from "../weights/byte_source.ts";
import { Control } from "./control.ts";
import { buildModel, type LoadedModel } from "./model.ts";
import { consecutiveRows } from "./runner.ts";

interface Comparison {
  readonly phase: "prefill" | "decode";
  readonly deviceClass: "cpu" | "gpu";
  readonly precision: "f32" | "f16" | "int8";
  readonly maxBindingBytes?: number;
  readonly contextLength?: number;
}

const prefillIds = [
  72, 101, 108, 108, 111, 32, 119, 111, 114, 108, 100, 33, 10, 84, 104, 101, 32, 99, 97, 116, 32, 115, 97, 116, 46, 0, 255, 262, 1, 2, 3, 4,
  5,
];

/** Runs one step both ways and names the first value that differs beyond the bound. */
async function compare(gpu: GPU, shapeOptions: TinyModelOptions, comparison: Comparison): Promise<void> {
  const { phase, deviceClass, precision, maxBindingBytes } = comparison;
  const opened = await openDevice(gpu, { deviceClass, maxBindingBytes });
  const { device, caps } = opened;
  const ledger = new BufferLedger(device);
  try {
    const source = bytesSource(tinyModel(shapeOptions));
    const model = await buildModel(await openGguf(source), source, {
      caps,
      activations: precision,
      contextLength: comparison.contextLength,
    });
    const rows = phase === "prefill" ? consecutiveRows(prefillIds, 0, 0) : consecutiveRows([72], 0, 0);
    const target = { caps, deviceClass, precision, maxRows: phase === "prefill" ? 64 : 1 };
    const whole = lower(model.graph, { phase, target, kv: model.kv, formats: formatByGgufType, scoreTopK: 5 });
    // What chooses tokens has its own cases, with its own state.
    const head = whole.sections.find(({ name }) => name === "head") ?? expect.fail("no head");
    const lowered = { calls: whole.calls.slice(0, head.end), sections: whole.sections.filter(({ end }) => end <= head.end) };
    const layout = planLayout(lowered.calls, formatByGgufType, caps.maxBindingBytes);
    const slabs = new Map(
      layout.plan.slabs.map((slab) => [slab.name, ledger.create("weights", { label: slab.name, size: Math.max(slab.bytes, 256) })]),
    );
    const buffer = (name: string): GPUBuffer => slabs.get(name) ?? expect.fail(`no slab ${name}`);
    await loadWeights({
      source,
      tensors: model.file.tensors,
      plan: layout.plan,
      formats: formatByGgufType,
      upload: (slab, offset, bytes) => device.queue.writeBuffer(buffer(slab), offset, bytes),
    });
    const table = ledger.create("other", { label: "rope", size: model.tables[0].data.byteLength });
    device.queue.writeBuffer(table, 0, model.tables[0].data);
    const cache = new PagedCache(device, ledger, { layout: model.kv, numLayers: model.config.numLayers, initialPages: 4, slots: 1 });
    cache.reserve(0, rows.length);
    const control = new Control(device, ledger, { prefillRows: target.maxRows, decodeRows: 1, slots: 1, maxPages: model.kv.maxPages });
    control.setPages(0, cache.pages(0));
    const outputRows = [rows.length - 1];
    control.writePrefill({ rows, outputRows });
    const options = {
      device,
      ledger,
      layout,
      label: phase,
      calls: lowered.calls,
      sections: lowered.sections,
      keep: [],
      keepAll: true,
      target,
      maxRows: target.maxRows,
      stepRows: target.maxRows,
      maxOutputRows: phase === "prefill" ? 8 : 1,
      activationBytes: precision === "f16" ? 2 : 4,
    };
    const pipelines = createPipelineCache(device, shaderFiles);
    const program = await compileProgram(options, { pipelines, activations: allocateActivations(options) });
    const slab = (name: string): { buffer: GPUBuffer } => ({ buffer: buffer(name) });
    program.bind({ slab, table: () => table, kv: (layer) => cache.pool(layer), pages: control.pages, state: control.prefillState });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    program.encode(pass, { rows: rows.length, outputRows: 1, contextTokens: rows.length });
    pass.end();
    device.queue.submit([encoder.finish()]);
    const values = interpret(lowered.calls, { rows, outputRows }, await interpreterState(model, source));
    const readback = createReadback(ledger);
    const read = async (call: KernelCall, output: number): Promise<Float32Array> => {
      const value = call.outputs[output];
      const expected = values.get(value.id) ?? expect.fail(value.name);
      return readValue(opened, readback, {
        buffer: program.buffer(value),
        rows: expected.rows,
        cols: expected.cols,
        half: value.type === "act" && precision === "f16",
      });
    };
    const bound = precision === "f32" ? 1e-6 : 5e-4;
    expect(await firstMismatch(lowered.calls, values, read, bound)).toBeUndefined();
  } finally {
    ledger.destroyAll();
    opened.destroy();
  }
}

async function readValue(
  { device }: OpenDevice,
  readback: ReturnType<typeof createReadback>,
  from: { buffer: GPUBuffer; rows: number; cols: number; half: boolean },
): Promise<Float32Array> {
  const { buffer, rows, cols, half } = from;
  const stride = rowStride(cols);
  const bytes = rows * stride * (half ? 2 : 4);
  const slot = readback.take(bytes);
  const encoder = device.createCommandEncoder();
  slot.copy(encoder, { source: buffer, bytes });
  device.queue.submit([encoder.finish()]);
  const data = await slot.read();
  const padded = half ? Float32Array.from(new Uint16Array(data), f16ToF32) : new Float32Array(data);
  const dense = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row++) dense.set(padded.subarray(row * stride, row * stride + cols), row * cols);
  return dense;
}

async function interpreterState(model: LoadedModel, source: ByteSource): Promise<InterpreterState> {
  const tensors = new Map<string, Float32Array>();
  for (const tensor of model.file.tensors.values()) {
    const values = new Float32Array(tensor.shape.reduce((product, size) => product * size, 1));
    formatByGgufType.get(tensor.type)?.dequantize(await source.read(tensor.offset, tensor.bytes), values);
    tensors.set(tensor.name, values);
  }
  const tensor = (name: string): Float32Array => tensors.get(name) ?? expect.fail(`no tensor ${name}`);
  const { numKvHeads, headDim } = model.config;
  const maxTokens = model.kv.maxPages * model.kv.pageTokens;
  const layers = Array.from({ length: model.config.numLayers }, (): CpuKv => {
    const elements = maxTokens * numKvHeads * headDim;
    return { maxTokens, keys: new Float32Array(elements), values: new Float32Array(elements) };
  });
  return { tensor, kv: (layer) => layers[layer] };
}

/** Types as llama.cpp mixes them in one file; `ffn_down` has rows of 352, no multiple of 256, and falls back to a type of 32. */
const mixes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  q4_k_m: {
    token_embd: "q6_k",
    attn_q: "q4_k",
    attn_k: "q4_k",
    attn_v: "q6_k",
    attn_output: "q4_k",
    ffn_gate: "q4_k",
    ffn_up: "q4_k",
    ffn_down: "q5_0",
  },
  q2_k: {
    token_embd: "q6_k",
    attn_q: "q2_k",
    attn_k: "q2_k",
    attn_v: "q4_k",
    attn_output: "q3_k",
    ffn_gate: "q2_k",
    ffn_up: "q3_k",
    ffn_down: "iq4_nl",
  },
  iq2_m: {
    token_embd: "q5_k",
    attn_q: "iq2_s",
    attn_k: "iq2_xs",
    attn_v: "iq3_s",
    attn_output: "iq4_xs",
    ffn_gate: "tq2_0",
    ffn_up: "iq1_s",
    ffn_down: "q8_0",
  },
};

describe("program equals interpreter", () => {
  const shape = { hidden: 256, heads: 4, kvHeads: 2, ffn: 172 } as const;
  for (const architecture of ["llama", "qwen2", "qwen3"] as const) {
    for (const phase of ["prefill", "decode"] as const) {
      for (const deviceClass of ["cpu", "gpu"] as const) {
        test(`${architecture} ${phase} on the ${deviceClass} program`, async (context) => {
          await compare(await sharedGpuOrSkip(context), { architecture, ...shape }, { phase, deviceClass, precision: "f32" });
        });
      }
    }
  }
  for (const deviceClass of ["cpu", "gpu"] as const) {
    test(`a sliding window shorter than the prompt on the ${deviceClass} program`, async (context) => {
      const window: GgufEntry = ["llama.attention.sliding_window", "u32", 9];
      const model = { ...shape, metadata: [window] };
      await compare(await sharedGpuOrSkip(context), model, { phase: "prefill", deviceClass, precision: "f32" });
    });
  }
  // Every type is loaded in types.gpu.test.ts; here one of each kind of layout is compared value by value.
  for (const name of ["f32", "q8_0", "q4_k", "iq2_s"]) {
    test(`${name} prefill and decode`, async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      for (const phase of ["prefill", "decode"] as const) {
        await compare(gpu, { format: name, ...shape }, { phase, deviceClass: "cpu", precision: "f32" });
      }
    });
  }
  for (const [name, mix] of Object.entries(mixes)) {
    // The GPU program takes minutes to compile on a busy machine, so it gets one of them.
    for (const deviceClass of name === "q4_k_m" ? (["cpu", "gpu"] as const) : (["cpu"] as const)) {
      test(`a mix of types in one file, ${name}, on the ${deviceClass} program`, async (context) => {
        const gpu = await sharedGpuOrSkip(context);
        const model = { format: (matrix: string) => mix[matrix.replace(/^blk\.\d+\./, "")] ?? "f32", ...shape, ffn: 352 };
        const file = await openGguf(bytesSource(tinyModel(model)));
        const types = new Set([...file.tensors.values()].map(({ type }) => formatByGgufType.get(type)?.name));
        expect(types).toEqual(new Set([...Object.values(mix), "f32"]));
        for (const phase of ["prefill", "decode"] as const) await compare(gpu, model, { phase, deviceClass, precision: "f32" });
      });
    }
  }
  for (const phase of ["prefill", "decode"] as const) {
    for (const deviceClass of ["cpu", "gpu"] as const) {
      test(`tensors split by rows, ${phase} on the ${deviceClass} program`, async (context) => {
        const gpu = await sharedGpuOrSkip(context);
        // 64 KiB bind two pages of KV and 128 rows of 256 weights: the embedding, the head, Q with its bias and the
        // feed-forward split.
        const limits = { maxBindingBytes: 64 * 1024, contextLength: 64 };
        const model = { architecture: "qwen2", format: "q8_0", ...shape, ffn: 256 } as const;
        await compare(gpu, model, { phase, deviceClass, precision: "f32", ...limits });
      });
    }
    test(`int8 activations, ${phase}`, async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      for (const architecture of ["qwen2", "qwen3"] as const) {
        await compare(gpu, { architecture, format: "q8_0", ...shape }, { phase, deviceClass: "cpu", precision: "int8" });
      }
      for (const deviceClass of ["cpu", "gpu"] as const) {
        await compare(gpu, { format: "q4_0", ...shape }, { phase, deviceClass, precision: "int8" });
      }
    });
    if (phase === "decode") {
      test("products with few rows and a long K, decode", async (context) => {
        const gpu = await sharedGpuOrSkip(context);
        const long = { architecture: "qwen2", hidden: 64, heads: 2, kvHeads: 1, ffn: 4096, layers: 1 } as const;
        for (const precision of ["f32", "int8"] as const) await compare(gpu, long, { phase, deviceClass: "gpu", precision });
      });
    }
    test(`f16 storage, ${phase}`, async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      const adapter = await gpu.requestAdapter();
      if (!adapter?.features.has("shader-f16")) context.skip("this adapter has no shader-f16");
      for (const deviceClass of ["cpu", "gpu"] as const)
        await compare(gpu, { format: "q8_0", ...shape }, { phase, deviceClass, precision: "f16" });
    });
  }
});
