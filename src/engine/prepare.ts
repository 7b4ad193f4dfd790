// The GPU side of a load: both programs lowered and compiled while the weights are read, buffers allocated under a memory
// check, everything bound.

import { untilAborted } from "../base/abort.ts";
import { assert, ShaderloomError } from "../base/errors.ts";
import { type BufferLedger, type BufferRange, withMemoryCheck } from "../gpu/buffers.ts";
import type { OpenDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import type { Readback } from "../gpu/readback.ts";
import type { WeightLayout } from "../graph/layout.ts";
import { compileProgram, type Program, slabBinding } from "../graph/program.ts";
import { type ShaderFiles, withRules } from "../kernels/shader_files.ts";
import type { KvCache } from "../kv/kv_cache.ts";
import type { Shelf } from "../tuning/memory.ts";
import type { KernelReport, TuningMode } from "../tuning/report.ts";
import type { Tuner } from "../tuning/tuner.ts";
import type { ByteSource } from "../weights/source.ts";
import type { Evictor } from "./evictor.ts";
import type { ExecutionOptions } from "./execution.ts";
import type { LoadedModel } from "./model.ts";
import { chunkRows, type Placed, placeRunner, planRunner, type RunnerPlan } from "./placement.ts";
import type { Profile, ProfileOptions } from "./profile_report.ts";
import type { LoadReport } from "./progress.ts";
import { Runner } from "./runner.ts";
import type { RunnerParts } from "./runner_parts.ts";
import type { Session, SessionStats } from "./session.ts";
import { choosingOf, decodeSections, prefillSections } from "./step_result.ts";
import type { NeuronLoad, StreamedNeurons } from "./neuron_load.ts";
import type { Residency } from "./residency.ts";
import type { Streaming } from "./streamed.ts";
import type { WeightDigest } from "./weight_digest.ts";
import type { ModelOrigin } from "./image_place.ts";
import type { StreamingLoad } from "./streamed_load.ts";

export interface PrepareOptions {
  readonly source: ByteSource;
  readonly model: LoadedModel;
  readonly opened: OpenDevice;
  readonly ledger: BufferLedger;
  readonly signal: AbortSignal;
  readonly report: LoadReport;
  /** Looks at every weight for NaN and infinity. */
  readonly checkWeights?: boolean | undefined;
  readonly tuning: TuningMode;
  readonly execution: ExecutionOptions;
  /** On its way since the load began. */
  readonly loadParts: Promise<typeof import("./load_parts.ts")>;
  /** Those of the device's class, which are on their way since it is known. */
  readonly shaders: Promise<ShaderFiles>;
  /** Most bytes on the GPU; what does not fit is streamed. */
  readonly memoryBudget?: number | undefined;
  /** Where streamed layers come from. */
  readonly origin: ModelOrigin;
  /** Where the results of races with these shaders are kept. */
  readonly openShelf: (shaders: ShaderFiles) => Promise<Shelf | undefined>;
}

export interface Prepared {
  readonly runner: Runner;
  readonly cache: KvCache;
  readonly readback: Readback;
  readonly layout: WeightLayout;
  readonly pipelines: number;
  readonly dispatches: { readonly decode: number; readonly prefill: number };
  /** Passes that changed each program. */
  readonly fusion: SessionStats["fusion"];
  readonly kernels: KernelReport;
  readonly execution: ExecutionOptions;
  /** What tells the weights that went by from others. */
  readonly digest: WeightDigest;
  /** Where layers are streamed. */
  readonly streaming: Streaming | undefined;
  /** Where neurons are. */
  readonly neurons: StreamedNeurons | undefined;
  /** Where tokens are dropped. */
  readonly evictor: Evictor | undefined;
  /** See `Session.tune`. */
  readonly tune: Session["tune"];
  /** See `Session.profile`; `check` throws what went wrong with the device in the meantime. */
  readonly profile: (options: ProfileOptions | undefined, check: () => void) => Promise<Profile>;
}

/** @throws {ShaderloomError} GPU.oom, GPU.shader, AbortError, what reading the weights throws; the caller frees the ledger */
export async function prepareRunner(prepare: PrepareOptions): Promise<Prepared> {
  const { model, opened, ledger, report, memoryBudget } = prepare;
  const { device, caps } = opened;
  if (prepare.execution.neurons && memoryBudget !== undefined) throw budgetAndNeurons();
  report.phase("compile");
  const plan = await planRunner(model, caps, prepare.execution);
  const residency = memoryBudget === undefined ? undefined : await residencyOf(prepare, plan, memoryBudget);
  const { layout } = plan;
  if (residency) report.span(0.05, 0.15);
  const slabs = residency ? [...residency.fixed, ...residency.trial] : layout.plan.slabs;
  const made = await withMemoryCheck(
    device,
    () => memoryAdvice(ledger, layout),
    () => placeRunner(plan, model, { device, ledger, slabs, wholeContext: memoryBudget !== undefined }),
  );
  const { programs } = made;
  const ruled = model.graph.nodes.some((node) => node.op === "attention" && (node.rules ?? node.sinks) !== undefined);
  const shaders = ruled ? await withRules(await prepare.shaders) : await prepare.shaders;
  const pipelines = createPipelineCache(device, shaders);
  const slab = (name: string): BufferRange => ({ buffer: required(made.slabs, residency?.standsFor(name) ?? name) });
  const { collectClasses, Tuner, readWeights, WeightDigest } = await prepare.loadParts;
  const tuner = new Tuner({
    device,
    caps,
    ledger,
    pipelines,
    classes: collectClasses([programs.decode, programs.prefill]),
    weights: (range) => slabBinding(layout.matrix(range), slab),
    mode: prepare.tuning,
    signal: prepare.signal,
    openShelf: () => prepare.openShelf(shaders),
  });
  const fileSlabs = slabs.filter(({ name }) => !plan.neurons?.slabs.has(name));
  const digest = new WeightDigest(model.file.tensors);
  const weights = readWeights(prepare, { plan: { ...layout.plan, slabs: fileSlabs }, slabs: made.slabs, kept: tuner.kept, digest });
  // A driver that compiles cannot be stopped, but it can be left alone.
  await untilAborted(Promise.all([tuner.compile(weights), weights]), prepare.signal).catch((thrown: unknown) => {
    tuner.abandon();
    throw thrown;
  });
  const kernels = await untilAborted(tuner.finish(), prepare.signal);
  const [decode, prefill] = await Promise.all(
    [programs.decode, programs.prefill].map((program, index) => {
      const activations = index === 0 ? made.activations.decode : made.activations.prefill;
      return compileProgram(program, { pipelines, activations, choose: tuner.chooseFor(program.label) });
    }),
  );
  return describeRunner(prepare, { plan, made, decode, prefill, kernels, tuner, residency, digest });
}

function budgetAndNeurons(): ShaderloomError {
  return new ShaderloomError(
    "REQUEST.execution",
    "execution.neurons has a budget of its own. Leave out memoryBudget or execution.neurons.",
  );
}

/** A chunk of its own: most loads have no budget. */
async function residencyOf(prepare: PrepareOptions, plan: RunnerPlan, memoryBudget: number): Promise<Residency | undefined> {
  const { model, opened, origin, checkWeights } = prepare;
  const { residencyFor } = await import("./streamed_load.ts");
  return residencyFor({ plan, model, caps: opened.caps, origin, checkWeights }, memoryBudget);
}

interface Made {
  readonly plan: RunnerPlan;
  readonly made: Placed;
  readonly decode: Program;
  readonly prefill: Program;
  readonly kernels: KernelReport;
  readonly tuner: Tuner;
  readonly residency: Residency | undefined;
  readonly digest: WeightDigest;
}

/** A runner over what was made, and what can be told of it. */
async function describeRunner(prepare: PrepareOptions, made_: Made): Promise<Prepared> {
  const { plan, made, decode, prefill, kernels, tuner, residency, digest } = made_;
  const { model, opened, ledger } = prepare;
  const { device, caps } = opened;
  const { layout, scoreTopK } = plan;
  const held: RunnerParts = {
    device,
    readback: made.readback,
    control: made.control,
    cache: made.cache,
    sampling: made.sampling,
    prefill: { program: prefill, lowered: plan.prefill },
    decode: { program: decode, lowered: plan.decode },
    weights: { slab: (name) => ({ buffer: required(made.slabs, name) }), table: (name) => required(made.tables, name) },
    scores: made.eviction?.scores,
    vocabSize: model.config.vocabSize,
    scoreTopK,
    frameBudgetMs: prepare.execution.frameBudgetMs,
  };
  const streaming = residency && (await openStreaming(prepare, { parts: held, residency, slabs: made.slabs, layout }));
  const neurons = plan.neurons && (await openNeurons(prepare, { parts: held, plan: { ...plan, neurons: plan.neurons }, made }));
  const slab = (name: string): BufferRange => streaming?.slab(name) ?? held.weights.slab(name);
  const parts = { ...held, weights: { ...held.weights, slab }, stream: streaming?.steps ?? neurons?.steps };
  const runner = new Runner(parts);
  // A prompt's tokens need other neurons each.
  const execution = { ...prepare.execution, ...(neurons && { chunkTokens: 1 }) };
  const eviction = model.evict && (await import("./eviction.ts"));
  const evictor = await eviction?.createEvictor({ ...prepare, execution, caps, parts, runner, buffers: made.eviction });
  const dispatches = {
    decode: decode.dispatchCount(decodeSections[choosingOf(plan.decode, true)].id),
    prefill: prefill.dispatchCount(prefillSections[choosingOf(plan.prefill, true)].id),
  };
  return {
    runner,
    cache: made.cache,
    readback: made.readback,
    layout,
    pipelines: new Set([...decode.pipelines, ...prefill.pipelines]).size,
    dispatches,
    fusion: { decode: plan.decode.fusion, prefill: plan.prefill.fusion },
    kernels,
    digest,
    streaming,
    neurons,
    evictor,
    execution,
    tune: async ({ signal, onProgress } = {}) => {
      if (streaming) throw streamedTune();
      return tuner.sweep({ signal, onProgress });
    },
    profile: async (options, check) => {
      const { profileRunner } = await import("./profile.ts");
      const { activations: precision, contextLength } = model;
      return profileRunner({ ...parts, runner, ledger, caps, precision, contextLength, maxRows: chunkRows, slot: 0, check }, options);
    },
  };
}

function streamedTune(): ShaderloomError {
  const message =
    "Products are raced in a model's own weights, and these are streamed. Tune a model that fits: its results hold here, too.";
  return new ShaderloomError("REQUEST.tune", message);
}

/** What was asked for, and what would ask for less. */
function memoryAdvice(ledger: BufferLedger, layout: WeightLayout): string {
  const { total, kv, activations } = ledger.bytes();
  return (
    `It needs ${total} bytes (${layout.plan.bytes} of weights, ${kv + activations} to work with) and this GPU has less to give. ` +
    `Close other tabs that use the GPU, or choose a file of fewer bits or parameters whose weights are well below ${layout.plan.bytes} bytes.`
  );
}

interface Opening extends Pick<StreamingLoad, "parts" | "residency" | "slabs"> {
  readonly layout: WeightLayout;
}

async function openStreaming(prepare: PrepareOptions, { layout, ...opening }: Opening): Promise<Streaming> {
  const { model, ledger, origin, report, signal, checkWeights, execution } = prepare;
  const { openStreamed } = await import("./streamed_load.ts");
  const load = {
    model,
    origin,
    report,
    signal,
    checkWeights,
    execution,
    ledger,
    layout: layout.plan,
  };
  return openStreamed({ ...opening, ...load, advice: () => memoryAdvice(ledger, layout) });
}

async function openNeurons(prepare: PrepareOptions, opening: Pick<NeuronLoad, "parts" | "plan" | "made">): Promise<StreamedNeurons> {
  const { openNeurons: open } = await import("./neuron_load.ts");
  return open({ ...opening, ...prepare });
}

function required<T>(map: ReadonlyMap<string, T>, name: string): T {
  const found = map.get(name);
  assert(found !== undefined, `${name} was not allocated`);
  return found;
}
