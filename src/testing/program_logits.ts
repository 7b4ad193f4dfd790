// A tiny model's own programs on an adapter, under a choice of fusion passes: prefill of prompts, then decode steps of given ids, of one sequence
// or of several at once. The default variants run; nothing is sampled.

import { assert, ShaderloomError } from "../base/errors.ts";
import { rowStride } from "../base/layout.ts";
import { Control } from "../engine/control.ts";
import type { ExecutionOptions } from "../engine/execution.ts";
import type { KvOptions } from "../engine/kv_options.ts";
import { buildModel, type LoadedModel } from "../engine/model.ts";
import { chunkRows, planRunner, type RunnerPlan } from "../engine/placement.ts";
import { consecutiveRows } from "../engine/runner.ts";
import { BufferLedger } from "../gpu/buffers.ts";
import { type OpenDevice, openDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { createReadback } from "../gpu/readback.ts";
import { allocateActivations, compileProgram, type Program } from "../graph/program.ts";
import type { StepRow } from "../kernels/kernel.ts";
import { shaderFiles } from "./shader_files.ts";
import { PagedCache } from "../kv/paged_cache.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { loadWeights } from "../weights/loader.ts";

export interface ProgramRun {
  readonly deviceClass: "cpu" | "gpu";
  readonly activations: "f32" | "f16" | "int8";
  readonly fusion: ExecutionOptions["fusion"];
  readonly maxBindingBytes?: number | undefined;
  readonly kv?: KvOptions | undefined;
  /** Sequences that decode together (default 1). */
  readonly slots?: number | undefined;
}

export interface OpenPrograms {
  /** Logits after the last of these tokens, at the start of a slot. Fails on anything that the device calls an error. */
  prefill(slot: number, prompt: readonly number[]): Promise<Float32Array>;
  /** Logits of each row, one for each of some slots. */
  decode(rows: readonly StepRow[]): Promise<Float32Array[]>;
  close(): void;
}

/** Logits after the prompt, then after each decoded id. */
export async function programLogits(
  gpu: GPU,
  file: Uint8Array<ArrayBuffer>,
  how: ProgramRun,
  { prompt, decoded }: { readonly prompt: readonly number[]; readonly decoded: readonly number[] },
): Promise<Float32Array[]> {
  const programs = await openPrograms(gpu, file, how);
  try {
    const logits = [await programs.prefill(0, prompt)];
    for (const [index, token] of decoded.entries()) {
      logits.push(...(await programs.decode([{ token, position: prompt.length + index, slot: 0 }])));
    }
    return logits;
  } finally {
    programs.close();
  }
}

export async function openPrograms(gpu: GPU, file: Uint8Array<ArrayBuffer>, how: ProgramRun): Promise<OpenPrograms> {
  const { deviceClass, activations, fusion, maxBindingBytes, kv, slots = 1 } = how;
  const opened = await openDevice(gpu, { deviceClass, maxBindingBytes });
  const ledger = new BufferLedger(opened.device);
  const close = (): void => {
    ledger.destroyAll();
    opened.destroy();
  };
  try {
    const source = bytesSource(file);
    const model = await buildModel(await openGguf(source), source, { caps: opened.caps, activations, kv });
    const plan = await planRunner(model, opened.caps, { fusion, slots });
    return { ...(await placePrograms({ opened, ledger, model, plan, slots }, file)), close };
  } catch (thrown) {
    close();
    throw thrown;
  }
}

interface Placing {
  readonly opened: OpenDevice;
  readonly ledger: BufferLedger;
  readonly model: LoadedModel;
  readonly plan: RunnerPlan;
  readonly slots: number;
}

async function placePrograms(placing: Placing, file: Uint8Array<ArrayBuffer>): Promise<Omit<OpenPrograms, "close">> {
  const { opened, ledger, model, plan, slots } = placing;
  const { device } = opened;
  let failure: ShaderloomError | undefined;
  opened.onFailure((error) => {
    failure = error;
  });
  const slabs = new Map(plan.layout.plan.slabs.map(({ name, bytes }) => [name, ledger.create("weights", { label: name, size: bytes })]));
  const slab = (name: string): GPUBuffer => found(slabs.get(name), name);
  const upload = (name: string, at: number, bytes: Uint8Array<ArrayBuffer>): void => device.queue.writeBuffer(slab(name), at, bytes);
  const { tensors } = model.file;
  await loadWeights({ source: bytesSource(file), tensors, plan: plan.layout.plan, formats: model.formats, upload });
  const tables = new Map(
    model.tables.map(({ name, data }) => {
      const buffer = ledger.create("other", { label: name, size: data.byteLength });
      device.queue.writeBuffer(buffer, 0, data);
      return [name, buffer] as const;
    }),
  );
  const cache = new PagedCache(device, ledger, {
    layout: model.kv,
    numLayers: model.config.numLayers,
    initialPages: slots * model.kv.maxPages,
    slots,
  });
  const control = new Control(device, ledger, { prefillRows: chunkRows, decodeRows: chunkRows, slots, maxPages: model.kv.maxPages });
  const pipelines = createPipelineCache(device, shaderFiles);
  const compile = async (phase: "prefill" | "decode"): Promise<Program> => {
    const { calls, sections, logits } = plan[phase];
    const { end } = found(
      sections.find(({ name }) => name === "head"),
      "head",
    );
    const maxRows = phase === "prefill" ? chunkRows : slots;
    const maxOutputRows = phase === "prefill" ? 1 : slots;
    const rest = { keep: [logits], target: { ...plan.target, maxRows }, maxRows, maxOutputRows, stepRows: chunkRows };
    const activationBytes = model.activations === "f16" ? 2 : 4;
    const shared = { device, ledger, label: phase, layout: plan.layout, tiers: plan.tiers, activationBytes };
    const options = { ...shared, ...rest, calls: calls.slice(0, end), sections: sections.filter((section) => section.end <= end) };
    const program = await compileProgram(options, { pipelines, activations: allocateActivations(options) });
    program.bind({
      slab: (name) => ({ buffer: slab(name) }),
      table: (name) => found(tables.get(name), name),
      kv: (layer) => cache.pool(layer),
      tail: (layer) => found(cache.tail(layer), "tail"),
      pages: control.pages,
      state: phase === "prefill" ? control.prefillState : control.decodeState,
    });
    return program;
  };
  const readback = createReadback(ledger);
  const [prefill, decode] = await Promise.all([compile("prefill"), compile("decode")]);
  const run = async (program: Program, rows: readonly StepRow[], outputRows: number): Promise<Float32Array[]> => {
    const contextTokens = Math.max(...rows.map(({ position }) => position)) + 1;
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    program.encode(pass, { rows: rows.length, outputRows, contextTokens });
    pass.end();
    const stride = rowStride(model.config.vocabSize);
    const slot = readback.take(outputRows * stride * 4);
    slot.copy(encoder, { source: program.buffer(plan[program === prefill ? "prefill" : "decode"].logits), bytes: outputRows * stride * 4 });
    device.queue.submit([encoder.finish()]);
    const logits = new Float32Array(await slot.read());
    if (failure) throw failure;
    return Array.from({ length: outputRows }, (_, row) => logits.slice(row * stride, row * stride + model.config.vocabSize));
  };
  const reserve = (rows: readonly StepRow[]): void => {
    for (const { slot, position } of rows) {
      assert(cache.reserve(slot, position + 1) !== undefined, "all pages are there");
      control.setPages(slot, cache.pages(slot));
    }
  };
  return {
    async prefill(slot, prompt) {
      const rows = consecutiveRows(prompt, 0, slot);
      reserve(rows);
      control.writePrefill({ rows, outputRows: [prompt.length - 1] });
      const [logits] = await run(prefill, rows, 1);
      return logits;
    },
    async decode(rows) {
      reserve(rows);
      control.writeDecode({ rows, outputRows: rows.map((_, row) => row) });
      return run(decode, rows, rows.length);
    },
  };
}

function found<T>(value: T | undefined, name: string): T {
  assert(value !== undefined, `there is no ${name}`);
  return value;
}
