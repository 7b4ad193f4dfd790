// The GPU side of a load: both programs lowered and compiled while the weights are read, buffers allocated under a memory
// check, everything bound.

import { assert, type ShaderloomError } from "../base/errors.ts";
import { formatByGgufType } from "../formats/index.ts";
import { type BufferLedger, withMemoryCheck } from "../gpu/buffers.ts";
import type { OpenDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { createReadback, type Readback } from "../gpu/readback.ts";
import { createUpload } from "../gpu/upload.ts";
import { planLayout, type WeightLayout } from "../graph/layout.ts";
import { lower, type Lowered } from "../graph/lower.ts";
import { type Activations, allocateActivations, compileProgram, type ProgramOptions } from "../graph/program.ts";
import type { KernelTarget } from "../kernels/kernel.ts";
import { shaderFiles } from "../kernels/shader_files.ts";
import { PagedCache } from "../kv/paged_cache.ts";
import { loadWeights } from "../weights/loader.ts";
import type { ByteSource } from "../weights/source.ts";
import { Control } from "./control.ts";
import type { LoadedModel } from "./model.ts";
import type { LoadReport } from "./progress.ts";
import { pickBytes, Runner } from "./runner.ts";

/** Rows of a prefill step: large enough for tiles to pay, small enough that an abort or a frame need not wait long. */
export const chunkRows = 256;
/** Rows of a head tile when prompts are scored; the matvec takes up to 8 columns. */
const headRows = 8;
/** Sequences that decode together; one until requests are batched. */
const slots = 1;
/** Pages to begin with: 512 tokens. */
const initialPages = 16;
/** Candidates reported for each scored row: OpenAI's top_logprobs goes to 20. */
const scoreTopK = 20;

export interface PrepareOptions {
  readonly source: ByteSource;
  readonly model: LoadedModel;
  readonly opened: OpenDevice;
  readonly ledger: BufferLedger;
  readonly signal: AbortSignal;
  readonly report: LoadReport;
}

export interface Prepared {
  readonly runner: Runner;
  readonly cache: PagedCache;
  readonly layout: WeightLayout;
  readonly pipelines: number;
  readonly dispatches: { readonly decode: number; readonly prefill: number };
}

/** @throws {ShaderloomError} GPU.oom, GPU.shader, AbortError, what reading the weights throws; the caller frees the ledger */
export async function prepareRunner(prepare: PrepareOptions): Promise<Prepared> {
  const { model, opened, ledger, report } = prepare;
  const { device, caps } = opened;
  report.phase("compile");
  const target: KernelTarget = { caps, deviceClass: caps.deviceClass, precision: model.activations, maxRows: 1 };
  const lowered = lowerPhases(model, target);
  const layout = planLayout([...lowered.decode.calls, ...lowered.prefill.calls], formatByGgufType, caps.maxBindingBytes);
  const shared = { device, ledger, layout, activationBytes: model.activations === "f16" ? 2 : 4 };
  const programOf = (phase: "prefill" | "decode", rows: number, outputRows: number): ProgramOptions => {
    const { calls, sections, logits, pick, scores, hidden } = lowered[phase];
    const keep = [logits, pick, hidden, ...(scores ? [scores] : [])];
    const rest = { label: phase, calls, sections, keep, target: { ...target, maxRows: rows } };
    return { ...shared, ...rest, maxRows: rows, maxOutputRows: outputRows };
  };
  const programs = { decode: programOf("decode", slots, slots), prefill: programOf("prefill", chunkRows, headRows) };
  const advice = (): string => memoryAdvice(ledger, layout);
  const made = await withMemoryCheck(device, advice, () => allocate(prepare, layout, programs));
  const pipelines = createPipelineCache(device, shaderFiles);
  const [decode, prefill] = await Promise.all([
    compileProgram(pipelines, programs.decode, made.activations.decode),
    compileProgram(pipelines, programs.prefill, made.activations.prefill),
    readWeights(prepare, layout, made.slabs),
  ]);
  const runner = new Runner({
    device,
    readback: made.readback,
    control: made.control,
    cache: made.cache,
    prefill: { program: prefill, lowered: lowered.prefill },
    decode: { program: decode, lowered: lowered.decode },
    weights: { slab: (name) => required(made.slabs, name), table: (name) => required(made.tables, name) },
    vocabSize: model.config.vocabSize,
    scoreTopK: Math.min(scoreTopK, model.config.vocabSize),
  });
  const dispatches = { decode: decode.dispatchCount(), prefill: prefill.dispatchCount(["body", "head", "pick"]) };
  return { runner, cache: made.cache, layout, pipelines: pipelines.size, dispatches };
}

function lowerPhases(model: LoadedModel, target: KernelTarget): { decode: Lowered; prefill: Lowered } {
  const shared = { kv: model.kv, formats: formatByGgufType, scoreTopK: Math.min(scoreTopK, model.config.vocabSize) };
  return {
    decode: lower(model.graph, { ...shared, phase: "decode", target: { ...target, maxRows: slots } }),
    prefill: lower(model.graph, { ...shared, phase: "prefill", target: { ...target, maxRows: chunkRows } }),
  };
}

/** What was asked for, and what would ask for less. */
function memoryAdvice(ledger: BufferLedger, layout: WeightLayout): string {
  const { total, kv, activations } = ledger.bytes();
  return (
    `It needs ${total} bytes (${layout.plan.bytes} of weights, ${kv + activations} to work with) and this GPU has less to give. ` +
    `Close other tabs that use the GPU, or choose a file of fewer bits or parameters whose weights are well below ${layout.plan.bytes} bytes.`
  );
}

interface Allocated {
  readonly slabs: ReadonlyMap<string, GPUBuffer>;
  readonly tables: ReadonlyMap<string, GPUBuffer>;
  readonly cache: PagedCache;
  readonly control: Control;
  readonly readback: Readback;
  readonly activations: { readonly decode: Activations; readonly prefill: Activations };
}

/** Everything that the GPU has to hold, so that running out of it is known before weights are read. Only KV grows later. */
function allocate(
  { model, opened: { device }, ledger }: PrepareOptions,
  layout: WeightLayout,
  programs: { readonly decode: ProgramOptions; readonly prefill: ProgramOptions },
): Allocated {
  const slabs = new Map(
    layout.plan.slabs.map((slab) => [slab.name, ledger.create("weights", { label: slab.name, size: Math.max(slab.bytes, 256) })]),
  );
  const tables = new Map(
    model.tables.map(({ name, data }) => {
      const buffer = ledger.create("other", { label: name, size: data.byteLength });
      device.queue.writeBuffer(buffer, 0, data);
      return [name, buffer] as const;
    }),
  );
  const cache = new PagedCache(device, ledger, { layout: model.kv, numLayers: model.config.numLayers, initialPages, slots });
  const control = new Control(device, ledger, { prefillRows: chunkRows, decodeRows: slots, slots, maxPages: model.kv.maxPages });
  const readback = createReadback(ledger, [pickBytes, model.config.vocabSize * 4]);
  const activations = { decode: allocateActivations(programs.decode), prefill: allocateActivations(programs.prefill) };
  return { slabs, tables, cache, control, readback, activations };
}

async function readWeights(prepare: PrepareOptions, layout: WeightLayout, slabs: ReadonlyMap<string, GPUBuffer>): Promise<void> {
  const { source, model, opened, signal, report } = prepare;
  const upload = createUpload(opened.device.queue);
  let failure: ShaderloomError | undefined;
  opened.onFailure((error) => {
    failure = error;
  });
  await loadWeights({
    source,
    tensors: model.file.tensors,
    plan: layout.plan,
    formats: formatByGgufType,
    upload: (slab, byteOffset, bytes) => {
      // A lost device swallows writes silently.
      if (failure) throw failure;
      return upload(required(slabs, slab), byteOffset, bytes);
    },
    onProgress: (moment) => report.weights(moment),
    signal,
  });
}

function required<T>(map: ReadonlyMap<string, T>, name: string): T {
  const found = map.get(name);
  assert(found !== undefined, `${name} was not allocated`);
  return found;
}
