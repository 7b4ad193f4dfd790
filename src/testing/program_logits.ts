// Logits of a tiny model's own programs on an adapter, under a choice of fusion passes: prefill of a prompt, then decode steps of given ids.
// The default variants run; nothing is sampled.

import { assert, ShaderloomError } from "../base/errors.ts";
import { Control } from "../engine/control.ts";
import type { ExecutionOptions } from "../engine/execution.ts";
import { buildModel } from "../engine/model.ts";
import { chunkRows, planRunner } from "../engine/placement.ts";
import { consecutiveRows } from "../engine/runner.ts";
import { BufferLedger } from "../gpu/buffers.ts";
import { openDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { createReadback } from "../gpu/readback.ts";
import { allocateActivations, compileProgram, type Program } from "../graph/program.ts";
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
}

/** Logits after the prompt, then after each decoded id. Fails on anything that the device calls an error. */
export async function programLogits(
  gpu: GPU,
  file: Uint8Array<ArrayBuffer>,
  { deviceClass, activations, fusion, maxBindingBytes }: ProgramRun,
  { prompt, decoded }: { readonly prompt: readonly number[]; readonly decoded: readonly number[] },
): Promise<Float32Array[]> {
  const opened = await openDevice(gpu, { deviceClass, maxBindingBytes });
  const { device, caps } = opened;
  let failure: ShaderloomError | undefined;
  opened.onFailure((error) => {
    failure = error;
  });
  const ledger = new BufferLedger(device);
  try {
    const source = bytesSource(file);
    const model = await buildModel(await openGguf(source), source, { caps, activations });
    const plan = await planRunner(model, caps, fusion);
    const slabs = new Map(plan.layout.plan.slabs.map(({ name, bytes }) => [name, ledger.create("weights", { label: name, size: bytes })]));
    const slab = (name: string): GPUBuffer => found(slabs.get(name), name);
    const upload = (name: string, at: number, bytes: Uint8Array<ArrayBuffer>): void => device.queue.writeBuffer(slab(name), at, bytes);
    const { tensors } = model.file;
    await loadWeights({ source, tensors, plan: plan.layout.plan, formats: model.formats, upload });
    const rope = ledger.create("other", { label: "rope", size: model.tables[0].data.byteLength });
    device.queue.writeBuffer(rope, 0, model.tables[0].data);
    const cache = new PagedCache(device, ledger, {
      layout: model.kv,
      numLayers: model.config.numLayers,
      initialPages: model.kv.maxPages,
      slots: 1,
    });
    cache.reserve(0, prompt.length + decoded.length);
    const control = new Control(device, ledger, {
      prefillRows: chunkRows,
      decodeRows: chunkRows,
      slots: 1,
      maxPages: model.kv.maxPages,
    });
    control.setPages(0, cache.pages(0));
    const pipelines = createPipelineCache(device, shaderFiles);
    const compile = async (phase: "prefill" | "decode"): Promise<Program> => {
      const { calls, sections, logits } = plan[phase];
      const end = found(
        sections.find(({ name }) => name === "head"),
        "head",
      ).end;
      const maxRows = phase === "prefill" ? chunkRows : 1;
      const rest = { keep: [logits], target: { ...plan.target, maxRows }, maxRows, maxOutputRows: 1, stepRows: chunkRows };
      const shared = {
        device,
        ledger,
        label: phase,
        layout: plan.layout,
        tiers: plan.tiers,
        activationBytes: activations === "f16" ? 2 : 4,
      };
      const options = { ...shared, ...rest, calls: calls.slice(0, end), sections: sections.filter((section) => section.end <= end) };
      const program = await compileProgram(options, { pipelines, activations: allocateActivations(options) });
      const state = phase === "prefill" ? control.prefillState : control.decodeState;
      program.bind({
        slab: (name) => ({ buffer: slab(name) }),
        table: () => rope,
        kv: (layer) => cache.pool(layer),
        pages: control.pages,
        state,
      });
      return program;
    };
    const readback = createReadback(ledger);
    const run = async (program: Program, rows: number, contextTokens: number): Promise<Float32Array> => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      program.encode(pass, { rows, outputRows: 1, contextTokens });
      pass.end();
      const bytes = model.config.vocabSize * 4;
      const slot = readback.take(bytes);
      slot.copy(encoder, { source: program.buffer(plan[program.label === "prefill" ? "prefill" : "decode"].logits), bytes });
      device.queue.submit([encoder.finish()]);
      const logits = new Float32Array(await slot.read());
      if (failure) throw failure;
      return logits;
    };
    const [prefill, decode] = await Promise.all([compile("prefill"), compile("decode")]);
    control.writePrefill({ rows: consecutiveRows(prompt, 0, 0), outputRows: [prompt.length - 1] });
    const logits = [await run(prefill, prompt.length, prompt.length)];
    for (const [index, id] of decoded.entries()) {
      const position = prompt.length + index;
      control.writeDecode({ rows: consecutiveRows([id], position, 0), outputRows: [0] });
      logits.push(await run(decode, 1, position + 1));
    }
    return logits;
  } finally {
    ledger.destroyAll();
    opened.destroy();
  }
}

function found<T>(value: T | undefined, name: string): T {
  assert(value !== undefined, `there is no ${name}`);
  return value;
}
