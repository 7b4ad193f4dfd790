// The GPU side of a load: both programs lowered and compiled while the weights are read, buffers allocated under a memory
// check, everything bound.

import { assert, type ShaderloomError } from "../base/errors.ts";
import { type BufferLedger, withMemoryCheck } from "../gpu/buffers.ts";
import type { OpenDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { createUpload } from "../gpu/upload.ts";
import type { WeightLayout } from "../graph/layout.ts";
import { compileProgram } from "../graph/program.ts";
import { shaderFiles } from "../kernels/shader_files.ts";
import type { PagedCache } from "../kv/paged_cache.ts";
import { loadWeights } from "../weights/loader.ts";
import type { ByteSource } from "../weights/source.ts";
import type { LoadedModel } from "./model.ts";
import { placeRunner, planRunner } from "./placement.ts";
import type { LoadReport } from "./progress.ts";
import { Runner } from "./runner.ts";

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
  const plan = planRunner(model, caps);
  const { layout, scoreTopK } = plan;
  const made = await withMemoryCheck(
    device,
    () => memoryAdvice(ledger, layout),
    () => placeRunner(plan, model, device, ledger),
  );
  const { programs } = made;
  const pipelines = createPipelineCache(device, shaderFiles);
  const [decode, prefill] = await Promise.all([
    compileProgram(programs.decode, { pipelines, activations: made.activations.decode }),
    compileProgram(programs.prefill, { pipelines, activations: made.activations.prefill }),
    readWeights(prepare, layout, made.slabs),
  ]);
  const runner = new Runner({
    device,
    readback: made.readback,
    control: made.control,
    cache: made.cache,
    prefill: { program: prefill, lowered: plan.prefill },
    decode: { program: decode, lowered: plan.decode },
    weights: { slab: (name) => required(made.slabs, name), table: (name) => required(made.tables, name) },
    vocabSize: model.config.vocabSize,
    scoreTopK,
  });
  const dispatches = { decode: decode.dispatchCount(), prefill: prefill.dispatchCount(["body", "head", "pick"]) };
  return { runner, cache: made.cache, layout, pipelines: pipelines.size, dispatches };
}

/** What was asked for, and what would ask for less. */
function memoryAdvice(ledger: BufferLedger, layout: WeightLayout): string {
  const { total, kv, activations } = ledger.bytes();
  return (
    `It needs ${total} bytes (${layout.plan.bytes} of weights, ${kv + activations} to work with) and this GPU has less to give. ` +
    `Close other tabs that use the GPU, or choose a file of fewer bits or parameters whose weights are well below ${layout.plan.bytes} bytes.`
  );
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
    formats: model.formats,
    upload: (slab, byteOffset, bytes) => {
      // A lost device swallows writes silently.
      if (failure) throw failure;
      return upload(required(slabs, slab), byteOffset, bytes);
    },
    onProgress: (moment) => report.weights(moment),
    fromCache: source.local === true,
    signal,
  });
}

function required<T>(map: ReadonlyMap<string, T>, name: string): T {
  const found = map.get(name);
  assert(found !== undefined, `${name} was not allocated`);
  return found;
}
