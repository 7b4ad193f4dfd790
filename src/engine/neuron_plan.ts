// Both programs of a model whose feed-forward blocks are over bundles of neurons in slots: how many slots a budget has room for, and what has
// to be placed and kept for them. A chunk of its own: only loads with `execution.neurons` need it.

import type { WeightFormat } from "../formats/format.ts";
import { tq2_0 } from "../formats/tq2_0.ts";
import type { BundlePlan } from "../formats/bundle.ts";
import type { Caps } from "../gpu/caps.ts";
import type { FusionName } from "../graph/fuse/names.ts";
import type { Table, Value } from "../graph/ir.ts";
import { planLayout, type WeightLayout } from "../graph/layout.ts";
import type { Lowered } from "../graph/lower.ts";
import { isNeuronSlab, listWords, type NeuronLayer, passesWithoutNeurons, withNeurons } from "../graph/neurons.ts";
import type { Programs } from "../graph/programs.ts";
import type { LoadedModel } from "./model.ts";

/** What a plan has beside the programs. */
export interface NeuronPlan {
  /** The same layers in each program, whose values are its own. */
  readonly layers: { readonly decode: readonly NeuronLayer[]; readonly prefill: readonly NeuronLayer[] };
  /** Values of each program that are read after a step. */
  readonly kept: { readonly decode: readonly Value[]; readonly prefill: readonly Value[] };
  /** What the CPU writes for a token. */
  readonly tables: readonly Table[];
  /** Slabs that no tensor of the file fills. */
  readonly slabs: ReadonlySet<string>;
}

/** Passes that pay in both programs and leave a block's input in a value. */
const usualPasses: readonly FusionName[] = ["qkv", "gate_up", "residual"];

/** The passes of programs with neurons, of those that were asked for. */
export function neuronPasses(fusion: "auto" | "off" | readonly FusionName[]): ReadonlySet<FusionName> {
  const wanted = fusion === "auto" ? usualPasses : fusion === "off" ? [] : fusion;
  return new Set(wanted.filter((name) => !passesWithoutNeurons.has(name)));
}

/** A copy of two bits a weight, where rows are whole blocks of it. */
function coarseFormat({ hidden }: BundlePlan): WeightFormat | undefined {
  return hidden % tq2_0.blockSize === 0 ? tq2_0 : undefined;
}

/** @throws {ShaderloomError} UNSUPPORTED.bundles */
export function planNeurons(
  programs: Programs,
  { model, caps, budget }: { readonly model: LoadedModel; readonly caps: Caps; readonly budget: number },
): Pick<Programs, "decode" | "prefill"> & { readonly layout: WeightLayout; readonly neurons: NeuronPlan } {
  const { config } = model;
  const slots = ({ upBytes, downBytes }: BundlePlan): number => {
    const bound = Math.floor(caps.maxBindingBytes / Math.max(upBytes, downBytes));
    return Math.min(bound, Math.floor(budget / config.numLayers / (upBytes + downBytes)));
  };
  const options = { formats: model.formats, activation: config.activation, slots, shadow: coarseFormat };
  const neuronal = (lowered: Lowered): { readonly lowered: Lowered; readonly layers: readonly NeuronLayer[] } => {
    const { calls, sections, layers } = withNeurons(lowered, options);
    return { lowered: { ...lowered, calls, sections }, layers };
  };
  const [decode, prefill] = [neuronal(programs.decode), neuronal(programs.prefill)];
  const formats = new Map([...model.formats, [tq2_0.ggufType, tq2_0]]);
  const layout = planLayout([...decode.lowered.calls, ...prefill.lowered.calls], formats, caps.maxBindingBytes);
  const neurons: NeuronPlan = {
    layers: { decode: decode.layers, prefill: prefill.layers },
    kept: { decode: keptValues(decode.layers), prefill: keptValues(prefill.layers) },
    tables: decode.layers.map(({ list, slots: room }) => ({ name: list, data: new Float32Array(listWords(room)) })),
    slabs: new Set(layout.plan.slabs.map(({ name }) => name).filter(isNeuronSlab)),
  };
  return { decode: decode.lowered, prefill: prefill.lowered, layout, neurons };
}

function keptValues(layers: readonly NeuronLayer[]): Value[] {
  return layers.flatMap(({ active, shadow }) => [active, ...(shadow ? [shadow.scores] : [])]);
}
