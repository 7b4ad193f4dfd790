// The verdict on a model from its header: what it takes, whether that fits, how fast it would be. Reads a few ranges of the file, stores
// nothing and leaves nothing allocated. What stands against running a model is a fact of the verdict, not an error of the call.

import { asShaderloomError, ShaderloomError, throwIfAborted } from "../base/errors.ts";
import { formatName } from "../formats/index.ts";
import type { Caps } from "../gpu/caps.ts";
import { readCaps, requestAdapter } from "../gpu/device.ts";
import { ggmlTypeName } from "../weights/gguf/ggml_types.ts";
import { elementsOf, type ModelHeader, packedBytes } from "../weights/tensor_info.ts";
import type { ExecutionOptions } from "./execution.ts";
import type { KvOptions } from "./kv_options.ts";
import { draftModel, type ModelDraft } from "./model_draft.ts";
import { type FactsOptions, type ModelFacts, readFacts } from "./model_facts.ts";
import { measureNeed, nothing } from "./need.ts";
import { planRunner, type RunnerPlan } from "./placement.ts";
import { probeAdapter, type ProbeOptions } from "./probe.ts";
import { predictSpeed, productFormats } from "./speed.ts";
import type { ModelStore } from "../store/model_store.ts";
import { openLoadStorage } from "./storage.ts";
import { suggest } from "./suggestion.ts";
import { tryMemory } from "./trial.ts";
import type { AdapterProbe, Estimate, GpuNeed, MemoryTrial, StreamedEstimate } from "./verdict.ts";

export interface EstimateSessionOptions extends FactsOptions {
  readonly contextLength?: number | undefined;
  /** The verdict is for that many bytes of GPU memory, should there be as much. */
  readonly memoryBudget?: number | undefined;
  readonly activations?: "f32" | "f16" | "int8" | undefined;
  readonly deviceClass?: "gpu" | "cpu" | undefined;
  /** As for the load: which calls are joined tells what activations take. */
  readonly execution?: ExecutionOptions | undefined;
  /** As for the load: how keys and values are kept. */
  readonly kv?: KvOptions | undefined;
  /** Default `navigator.gpu`. */
  readonly gpu?: GPU | undefined;
  /** A probe of before; another is made when it lacks a format of the model or was made for other activations. */
  readonly probe?: AdapterProbe | undefined;
}

export interface ProbeSessionOptions extends ProbeOptions {
  /** Default `navigator.gpu`. */
  readonly gpu?: GPU | undefined;
}

/** @throws {ShaderloomError} GPU.*, AbortError */
export async function probeSession(options: ProbeSessionOptions = {}): Promise<AdapterProbe> {
  return probeAdapter(options.gpu ?? globalThis.navigator?.gpu, options);
}

/**
 * @throws {ShaderloomError} SOURCE, NET, STORE when the header cannot be read; FORMAT, LIMIT, MODEL.shards when it is none; AbortError
 */
export async function estimateSession(options: EstimateSessionOptions): Promise<Estimate> {
  throwIfAborted(options.signal);
  const facts = await readFacts(options);
  const gpu = options.gpu ?? globalThis.navigator?.gpu;
  const { caps, problem } = await capsOf(gpu, options);
  const draft = await draftModel(facts.file, { ...options, caps });
  const problems = problem ? [problem, ...draft.problems] : draft.problems;
  const plan = draft.model && (await planRunner(draft.model, caps, { fusion: options.execution?.fusion }));
  const unmeasured = { probe: undefined, trial: undefined, streamed: undefined, kv: options.kv };
  const judged = {
    ...unmeasured,
    facts,
    draft,
    plan,
    need: plan && draft.model ? measureNeed(plan, draft.model) : nothing,
    problems,
  };
  if (problem || !plan) return compose(judged);
  try {
    const trial = withinBudget(await tryMemory(gpu, judged.need.total, options.signal), options.memoryBudget);
    const probe = await probeFor(gpu, plan, options);
    const measured = { ...judged, probe, trial };
    if (trial.givenBytes >= judged.need.total) return compose(measured);
    const streamed = await tryStreamed({ facts, draft, plan, trial, probe }, options);
    return compose(streamed instanceof ShaderloomError ? { ...measured, problems: [...problems, streamed] } : { ...measured, streamed });
  } catch (thrown) {
    const error = asShaderloomError(thrown);
    if (!error.code.startsWith("GPU.")) throw error;
    // A GPU that cannot be measured cannot run the model either.
    return compose({ ...judged, problems: [...problems, error] });
  }
}

/** A budget of the caller's is all that there is. */
function withinBudget(trial: MemoryTrial, memoryBudget = Infinity): MemoryTrial {
  return memoryBudget < trial.givenBytes ? { source: "budget", givenBytes: memoryBudget } : trial;
}

type Measured = Pick<Judged, "facts" | "draft"> & {
  readonly plan: RunnerPlan;
  readonly trial: MemoryTrial;
  readonly probe: AdapterProbe;
};

/** How it would run streamed; undefined when it would not or nothing tells, the load's own refusal of a budget that is too small. */
async function tryStreamed(measured: Measured, options: EstimateSessionOptions): Promise<StreamedEstimate | ShaderloomError | undefined> {
  const { facts, draft, plan, trial, probe } = measured;
  if (!draft.model) return undefined;
  const { memoryBudget, execution, signal } = options;
  let models: ModelStore | undefined;
  try {
    ({ models } = await openLoadStorage(options.model, options.store));
    const [{ judgeStreamed }, { placeOfFiles }] = await Promise.all([import("./streamed_verdict.ts"), import("./image_place.ts")]);
    const place = models ? undefined : await placeOfFiles({ location: options.model, store: options.store ?? {} });
    models ??= place?.models;
    const where = { models, model: facts.stored ?? place?.id, givenBytes: trial.givenBytes, memoryBudget };
    return await judgeStreamed({ plan, loaded: draft.model, probe, wish: execution, signal, ...where });
  } catch (thrown) {
    const error = asShaderloomError(thrown);
    if (error.code === "AbortError") throw error;
    return error.code === "GPU.budget" && memoryBudget !== undefined ? error : undefined;
  } finally {
    models?.close();
  }
}

/** Limits that every adapter has: what a model takes is said without a GPU too. */
const portableCaps: Caps = {
  vendor: "",
  architecture: "",
  description: "",
  deviceClass: "gpu",
  software: false,
  f16: false,
  subgroups: undefined,
  subgroupMatrix: [],
  packedDot: true,
  maxWorkgroupInvocations: 256,
  maxWorkgroupStorageBytes: 16384,
  maxBindingBytes: 1 << 27,
  maxBufferBytes: 1 << 28,
  maxStorageBuffers: 8,
};

async function capsOf(
  gpu: GPU | undefined,
  { deviceClass }: EstimateSessionOptions,
): Promise<{ readonly caps: Caps; readonly problem?: ShaderloomError }> {
  try {
    return { caps: readCaps(await requestAdapter(gpu), { deviceClass }) };
  } catch (thrown) {
    const problem = asShaderloomError(thrown, "GPU.unavailable");
    return { caps: { ...portableCaps, ...(deviceClass ? { deviceClass } : {}) }, problem };
  }
}

async function probeFor(gpu: GPU | undefined, plan: RunnerPlan, options: EstimateSessionOptions): Promise<AdapterProbe> {
  const { probe, deviceClass, signal } = options;
  const activations = plan.target.precision;
  const usable = probe?.activations === activations && probe.adapter.deviceClass === plan.target.deviceClass;
  if (usable && predictSpeed(plan, probe)) return probe;
  return probeAdapter(gpu, { deviceClass, activations, formats: productFormats(plan), signal });
}

interface Judged {
  readonly facts: ModelFacts;
  readonly draft: ModelDraft;
  /** Undefined when the model cannot be laid out. */
  readonly plan: RunnerPlan | undefined;
  readonly need: GpuNeed;
  readonly problems: readonly ShaderloomError[];
  readonly probe: AdapterProbe | undefined;
  readonly trial: MemoryTrial | undefined;
  readonly streamed: StreamedEstimate | undefined;
  readonly kv: KvOptions | undefined;
}

/** Puts the verdict together. */
function compose({ facts, draft, plan, need, problems, probe, trial, streamed, kv }: Judged): Estimate {
  const { file, fileBytes, downloadBytes, storage } = facts;
  const speed = plan && probe ? predictSpeed(plan, probe) : undefined;
  const spareBytes = (trial?.givenBytes ?? 0) - need.total;
  const short = trial !== undefined && trial.source !== "budget" && trial.givenBytes < need.atLoad;
  const all = short ? [...problems, tooLittle(need, trial)] : problems;
  const { contextLength, trainedContextLength, acceptedContext } = draft;
  const decodeTokensPerSecond = speed?.decodeTokensPerSecond ?? null;
  return {
    name: draft.name,
    architecture: draft.architecture,
    ...weightsOf(file),
    fileBytes,
    downloadBytes,
    contextLength,
    trainedContextLength,
    gpu: need,
    fits: plan !== undefined && trial !== undefined && spareBytes >= 0,
    spareBytes,
    memory: trial ?? null,
    prefillTokensPerSecond: speed?.prefillTokensPerSecond ?? null,
    decodeTokensPerSecond,
    storage: streamed ? { ...storage, neededBytes: storage.neededBytes + imageLeft(streamed) } : storage,
    problems: all.map((error) => error.toPlain()),
    suggestion: plan
      ? suggest({
          gpu: need,
          contextLength,
          fileBytes,
          givenBytes: trial?.givenBytes,
          decodeTokensPerSecond,
          acceptedContext,
          streamed,
          kv,
        })
      : null,
    streamed: streamed ?? null,
    probe: probe ?? null,
  };
}

/** Bytes of the streamed copy that storing is left of. */
function imageLeft({ tier, imageStored, imageBytes }: StreamedEstimate): number {
  return tier === "memory" || imageStored ? 0 : imageBytes;
}

function tooLittle({ atLoad }: GpuNeed, { givenBytes }: MemoryTrial): ShaderloomError {
  return new ShaderloomError(
    "GPU.oom",
    `The model needs ${atLoad} bytes of GPU memory and there are ${givenBytes}. Close other tabs that use the GPU, or choose a smaller file.`,
    { detail: { need: atLoad, have: givenBytes } },
  );
}

function weightsOf(file: ModelHeader): Pick<Estimate, "parameters" | "types"> {
  const types: Record<string, { tensors: number; parameters: number; bytes: number }> = {};
  let parameters = 0;
  for (const tensor of file.tensors.values()) {
    const name = formatName(tensor.type) ?? ggmlTypeName(tensor.type).toLowerCase();
    const count = elementsOf(tensor);
    const sum = (types[name] ??= { tensors: 0, parameters: 0, bytes: 0 });
    sum.tensors++;
    sum.parameters += count;
    sum.bytes += packedBytes(tensor);
    parameters += count;
  }
  return { parameters, types };
}
