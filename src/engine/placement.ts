// What a load puts on the GPU: both programs lowered, the weights laid out, and every buffer made, in one place, so that a dry run
// on a device that only counts (need.ts) gives the very bytes of a load.

import type { Slab } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { BufferLedger } from "../gpu/buffers.ts";
import type { Caps } from "../gpu/caps.ts";
import { createReadback, type Readback } from "../gpu/readback.ts";
import { planLayout, type WeightLayout } from "../graph/layout.ts";
import type { Lowered } from "../graph/lower.ts";
import { lowerPrograms } from "../graph/programs.ts";
import { type Activations, allocateActivations, type ProgramOptions } from "../graph/program.ts";
import type { TierLimits } from "../graph/tiers.ts";
import type { KernelTarget } from "../kernels/kernel.ts";
import type { KvCache } from "../kv/kv_cache.ts";
import { PagedCache, type PagedCacheOptions } from "../kv/paged_cache.ts";
import { Control } from "./control.ts";
import { executionRanges, type ExecutionOptions } from "./execution.ts";
import type { EvictionBuffers } from "./eviction_buffers.ts";
import type { LoadedModel } from "./model.ts";
import type { NeuronPlan } from "./neuron_plan.ts";
import { SamplingState } from "./sampling_state.ts";
import { scoredBytes } from "./step_result.ts";

/** Rows of a prefill step: large enough for tiles to pay, small enough that an abort or a frame need not wait long. */
export const chunkRows = 256;
/** Rows of a head tile when prompts are scored; the matvec takes up to 8 columns, and alone keeps the best. */
export const headRows = 8;
/** Sequences that decode together; one until requests are batched. */
export const slots = 1;
/** Tokens that there is room for to begin with. */
const initialTokens = 512;
/** Pipelines of a model. */
const mostPipelines = 30;
/** Candidates reported for each scored row: OpenAI's top_logprobs goes to 20. */
const mostScored = 20;

/** Both programs of a model on a device, not yet compiled. */
export interface RunnerPlan {
  readonly target: KernelTarget;
  readonly decode: Lowered;
  readonly prefill: Lowered;
  readonly layout: WeightLayout;
  readonly tiers: TierLimits;
  /** Candidates of each scored row. */
  readonly scoreTopK: number;
  /** Where feed-forward blocks are over bundles of neurons. */
  readonly neurons?: NeuronPlan | undefined;
  /** Makes what dropping tokens takes, where a policy does. */
  readonly placeEviction?: ((ledger: BufferLedger) => EvictionBuffers) | undefined;
  /** Makes a cache other than of pages. */
  readonly makeCache?: MakeCache | undefined;
}

type MakeCache = (device: GPUDevice, ledger: BufferLedger, options: PagedCacheOptions) => KvCache;

export interface PlanOptions extends Pick<ExecutionOptions, "fusion" | "neurons"> {
  /** Sequences that decode together. */
  readonly slots?: number | undefined;
}

export async function planRunner(model: LoadedModel, caps: Caps, options: PlanOptions = {}): Promise<RunnerPlan> {
  const { fusion = "auto", neurons, slots: together = slots } = options;
  const neuronal = neurons && (await import("./neuron_plan.ts"));
  const target: KernelTarget = { caps, deviceClass: caps.deviceClass, precision: model.activations, maxRows: 1 };
  const scoreTopK = Math.min(mostScored, model.config.vocabSize);
  const plain = fusion === "auto" ? undefined : new Set(fusion === "off" ? [] : fusion);
  const passes = { fusion: neuronal?.neuronPasses(fusion) ?? plain };
  const rows = { decode: { rows: together, outputRows: together }, prefill: { rows: chunkRows, outputRows: headRows } };
  const evicting = model.evict && (await import("./eviction_plan.ts")).planEviction(model, model.evict, target);
  const shared = { kv: model.kv, formats: model.formats, scoreTopK, ...passes, afterAttention: evicting?.afterAttention };
  const placeEviction = evicting?.place;
  const makeCache = model.kv.order === "contiguous" ? (await import("../kv/contiguous_cache.ts")).makeContiguousCache : undefined;
  const programs = await lowerPrograms(model.graph, { ...shared, target, rows, most: mostPipelines });
  if (neuronal && neurons) {
    const planned = neuronal.planNeurons(programs, { model, caps, budget: neurons.budget });
    return { ...programs, ...planned, target, scoreTopK, placeEviction, makeCache };
  }
  const layout = planLayout([...programs.decode.calls, ...programs.prefill.calls], model.formats, caps.maxBindingBytes);
  return { ...programs, target, layout, scoreTopK, placeEviction, makeCache };
}

/** The buffers of a loaded model, all in one ledger. */
export interface Placed {
  readonly slabs: Map<string, GPUBuffer>;
  readonly tables: ReadonlyMap<string, GPUBuffer>;
  readonly cache: KvCache;
  readonly control: Control;
  readonly readback: Readback;
  readonly sampling: SamplingState;
  readonly eviction: EvictionBuffers | undefined;
  readonly programs: { readonly decode: ProgramOptions; readonly prefill: ProgramOptions };
  readonly activations: { readonly decode: Activations; readonly prefill: Activations };
}

/** What is placed otherwise than in a load without a budget. */
export interface PlacingOptions {
  /** Slabs to begin with; all when not given. */
  readonly slabs?: readonly Slab[] | undefined;
  /** Room for keys and values of the whole context at once, so that nothing grows. */
  readonly wholeContext?: boolean | undefined;
}

interface PlacingIn extends Omit<PlacingOptions, "slabs"> {
  readonly device: GPUDevice;
  readonly ledger: BufferLedger;
}

function placeCache(
  { makeCache }: RunnerPlan,
  { kv: layout, kvPool, config }: LoadedModel,
  { device, ledger, wholeContext }: PlacingIn,
): KvCache {
  const pages = wholeContext ? Infinity : ceilDiv(initialTokens, layout.pageTokens);
  const options = { layout, numLayers: config.numLayers, initialPages: pages, slots, ...kvPool };
  return makeCache?.(device, ledger, options) ?? new PagedCache(device, ledger, options);
}

/** Everything that the GPU has to hold, so that running out of it is known before weights are read. Only KV grows later. */
export function placeRunner(
  plan: RunnerPlan,
  model: LoadedModel,
  { device, ledger, slabs: wanted, wholeContext }: PlacingIn & Pick<PlacingOptions, "slabs">,
): Placed {
  const { layout } = plan;
  const slabs = new Map(
    (wanted ?? layout.plan.slabs).map((slab) => [
      slab.name,
      ledger.create("weights", { label: slab.name, size: Math.max(slab.bytes, 256) }),
    ]),
  );
  const tables = new Map(
    [...model.tables, ...(plan.neurons?.tables ?? [])].map(({ name, data }) => {
      const buffer = ledger.create("other", { label: name, size: data.byteLength });
      device.queue.writeBuffer(buffer, 0, data);
      return [name, buffer] as const;
    }),
  );
  const cache = placeCache(plan, model, { device, ledger, wholeContext });
  const control = new Control(device, ledger, { prefillRows: chunkRows, decodeRows: chunkRows, slots, maxPages: model.kv.maxPages });
  // For as many as fly, as many again that the request before let go of, and the prompt's.
  const slotsInFlight = Array.from({ length: 2 * executionRanges.tokensInFlight.max + 1 }, () => scoredBytes(plan.scoreTopK));
  const readback = createReadback(ledger, [...slotsInFlight, model.config.vocabSize * 4]);
  const sampling = new SamplingState(device, ledger, { slots, vocabSize: model.config.vocabSize });
  const shared = { device, ledger, layout, activationBytes: model.activations === "f16" ? 2 : 4 };
  const programOf = (phase: "prefill" | "decode", rows: number, outputRows: number): ProgramOptions => {
    const { calls, sections, logits, chosen, scores, hidden } = plan[phase];
    const keep = [logits, chosen, scores, hidden, ...(plan.neurons?.kept[phase] ?? [])];
    const rest = { label: phase, calls, sections, keep, target: { ...plan.target, maxRows: rows } };
    return { ...shared, ...rest, maxRows: rows, maxOutputRows: outputRows, stepRows: chunkRows, tiers: plan.tiers };
  };
  const programs = { decode: programOf("decode", slots, slots), prefill: programOf("prefill", chunkRows, headRows) };
  const activations = { decode: allocateActivations(programs.decode), prefill: allocateActivations(programs.prefill) };
  return { slabs, tables, cache, control, readback, sampling, eviction: plan.placeEviction?.(ledger), programs, activations };
}
