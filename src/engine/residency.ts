// What of a model stays on the GPU and what cannot, under a budget: made before anything is allocated, by the functions that a load allocates
// with. A chunk of its own: loads without a budget need none of it.

import { ShaderloomError } from "../base/errors.ts";
import type { Slab } from "../base/layout.ts";
import { BufferLedger } from "../gpu/buffers.ts";
import type { Caps } from "../gpu/caps.ts";
import type { KernelCall } from "../graph/call.ts";
import type { WeightLayout } from "../graph/layout.ts";
import { leastBytes, type StreamShape } from "../streaming/schedule.ts";
import { planImage, slabLayer, splitLayers } from "../streaming/sections.ts";
import type { ImagePlan } from "../streaming/types.ts";
import { collectClasses } from "../tuning/classes.ts";
import type { LoadedModel } from "./model.ts";
import { countingDevice } from "./need.ts";
import { placeRunner, type RunnerPlan } from "./placement.ts";

/** A model whose layers are streamed. */
export interface Residency {
  readonly image: ImagePlan;
  readonly shape: StreamShape;
  /** Slabs that no layer has: they stay. */
  readonly fixed: readonly Slab[];
  /** Slabs of layers that kernels are checked in while there are no frames yet. */
  readonly trial: readonly Slab[];
  /** The slab that kernels are checked in instead of another of the same shape. */
  standsFor(slab: string): string;
  /** Bytes of everything but layers, with keys and values of the whole context. */
  readonly fixedBytes: number;
  /** Least budget that works. */
  readonly leastBytes: number;
  /** Budget from which nothing has to be streamed. */
  readonly wholeBytes: number;
}

export interface ResidencyOptions {
  readonly plan: RunnerPlan;
  readonly model: LoadedModel;
  readonly caps: Caps;
  /** What the bytes of the image depend on beside layout and tensors: which files, and how they are looked at. */
  readonly facts: readonly string[];
}

/** How a model would be spread over a GPU that has too little for it. */
export async function planResidency({ plan, model, caps, facts }: ResidencyOptions): Promise<Residency> {
  const { fixed } = splitLayers(plan.layout.plan);
  const image = await planImage(plan.layout.plan, JSON.stringify([facts, tensorFacts(model)]));
  const device = countingDevice();
  const ledger = new BufferLedger(device);
  const { programs } = placeRunner(plan, model, { device, ledger, slabs: fixed, wholeContext: true });
  const fixedBytes = ledger.bytes().total;
  const standIns = standInsOf(plan.layout, collectClasses([programs.decode, programs.prefill]));
  const names = new Set(standIns.values());
  const trial = plan.layout.plan.slabs.filter((slab) => slabLayer(slab) !== undefined && names.has(slab.name));
  const shape: StreamShape = { sections: image.sections, chunkBytes: image.chunkBytes, maxBufferBytes: caps.maxBufferBytes };
  const layerBytes = plan.layout.plan.slabs.reduce((sum, slab) => sum + (slabLayer(slab) === undefined ? 0 : slab.bytes), 0);
  const trialBytes = trial.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    image,
    shape,
    fixed,
    trial,
    standsFor: (slab) => standIns.get(slab) ?? slab,
    fixedBytes,
    leastBytes: fixedBytes + Math.max(leastBytes(shape), trialBytes),
    wholeBytes: fixedBytes + layerBytes,
  };
}

/**
 * What a load under a budget does: streams, or undefined when everything fits.
 * @throws {ShaderloomError} GPU.budget when nothing works within it, with the least that does
 */
export async function residencyFor(options: ResidencyOptions, memoryBudget: number): Promise<Residency | undefined> {
  const residency = await planResidency(options);
  if (residency.wholeBytes <= memoryBudget) return undefined;
  const { leastBytes: least, fixedBytes, wholeBytes } = residency;
  // Where layers are few, streaming can take more than holding them.
  const need = Math.min(least, wholeBytes);
  if (memoryBudget >= need) return residency;
  throw new ShaderloomError(
    "GPU.budget",
    `The model needs at least ${need} bytes on the GPU and memoryBudget is ${memoryBudget}. Set memoryBudget to ${need} or more; ` +
      `a smaller contextLength takes less (${fixedBytes} bytes are for the context, the head and work), and from ${wholeBytes} on nothing is streamed.`,
    { detail: { need, have: memoryBudget } },
  );
}

/** The slab that each slab's kernel is checked in: that of the first call of its class. */
function standInsOf(layout: WeightLayout, classes: readonly { readonly calls: readonly KernelCall[] }[]): ReadonlyMap<string, string> {
  const standIns = new Map<string, string>();
  const first = classes.flatMap(({ calls }) => calls[0].weights.map((range) => layout.matrix(range).slab));
  for (const { calls } of classes) {
    for (const { weights } of calls) {
      for (const [index, range] of weights.entries()) standIns.set(layout.matrix(range).slab, layout.matrix(calls[0].weights[index]).slab);
    }
  }
  // Their own rows are compared with: they stand for themselves.
  for (const slab of first) standIns.set(slab, slab);
  return standIns;
}

/** What is known of each tensor. */
export function tensorFacts({ file }: LoadedModel): readonly unknown[] {
  return [...file.tensors.values()].map(({ name, type, shape, offset, bytes, stored }) => [
    name,
    type,
    shape,
    offset,
    bytes,
    stored ?? null,
  ]);
}
