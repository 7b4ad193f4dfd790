// Turns the feed-forward blocks of a lowered decode program into ones over the bundles of neurons that are on the GPU: other calls in their
// place, over slots that somebody else fills. Of calls, so that no model and no pass knows of it. A chunk of its own.

import { assert, ShaderloomError } from "../base/errors.ts";
import { type BundlePlan, planBundles } from "../formats/bundle.ts";
import type { WeightFormat } from "../formats/format.ts";
import type { Activation } from "../kernels/activation.ts";
import { add } from "../kernels/add.ts";
import { listHeaderWords, neuronDown, neuronReport, neuronScores, neuronUp } from "../kernels/neurons.ts";
import { kernelCall, type KernelCall, type WeightRange } from "./call.ts";
import type { FusionName } from "./fuse/names.ts";
import type { Table, Value } from "./ir.ts";
import type { Section } from "./program.ts";

/** Passes that leave a block's input in no value of its own. */
export const passesWithoutNeurons: ReadonlySet<FusionName> = new Set(["norm"]);

/** One feed-forward block over slots. */
export interface NeuronLayer {
  readonly layer: number;
  readonly plan: BundlePlan;
  readonly tensors: { readonly gate: string; readonly up: string; readonly down: string };
  readonly slots: number;
  /** Ranges without tensors of the file: the slots of gate and up, and those of down. */
  readonly ranges: { readonly up: WeightRange; readonly down: WeightRange };
  /** A coarse copy of gate, [bundles * neurons, hidden], and the scores of all bundles that it gives, kept after a step. */
  readonly shadow: { readonly range: WeightRange; readonly format: WeightFormat; readonly scores: Value } | undefined;
  /** What the CPU writes for a token: `listWords` words. */
  readonly list: string;
  /** Bits of the active neurons in the order of the list, kept after a step. */
  readonly active: Value;
  readonly input: Value;
  /** Of the listed bundles' neurons, in f32. */
  readonly neurons: Value;
  readonly output: Value;
}

/** Words of a list. */
export function listWords(slots: number): number {
  return listHeaderWords + slots;
}

/** Whether a slab is filled by bundles, not by a loader. */
export function isNeuronSlab(name: string): boolean {
  return name.startsWith("neurons.");
}

export interface NeuronCallOptions {
  readonly formats: ReadonlyMap<number, WeightFormat>;
  readonly activation: Activation;
  /** Bundles of a layer that there is room for. */
  readonly slots: (plan: BundlePlan) => number;
  /** Format of a coarse copy of gate, where there is to be one. */
  readonly shadow?: ((plan: BundlePlan) => WeightFormat | undefined) | undefined;
}

interface Program {
  readonly calls: readonly KernelCall[];
  readonly sections: readonly Section[];
}

/** A feed-forward block as it was lowered. */
interface Block {
  readonly layer: number;
  readonly calls: ReadonlySet<KernelCall>;
  readonly last: KernelCall;
  readonly tensors: NeuronLayer["tensors"];
  readonly ggufTypes: { readonly up: number; readonly down: number };
  readonly sizes: { readonly hidden: number; readonly intermediate: number };
  readonly input: Value;
}

/** @throws {ShaderloomError} UNSUPPORTED.bundles for what cannot be cut into bundles */
export function withNeurons(
  { calls, sections }: Program,
  options: NeuronCallOptions,
): Program & { readonly layers: readonly NeuronLayer[] } {
  const blocks = findBlocks(calls);
  const ids = calls.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]).map(({ id }) => id);
  let nextId = Math.max(...ids) + 1;
  const make = (name: string, cols: number, type: Value["type"]): Value => ({ id: nextId++, name, rows: "rows", cols, type });
  const layers: NeuronLayer[] = [];
  const made: KernelCall[] = [];
  /** Where each call of the old program begins in the new one. */
  const starts: number[] = [];
  for (const call of calls) {
    starts.push(made.length);
    const block = blocks.find((one) => one.calls.has(call));
    if (!block) made.push(call);
    if (block?.last !== call) continue;
    const layer = layerOf(block, options, make);
    layers.push(layer);
    made.push(...blockCalls(layer, options.activation, call));
  }
  const at = (index: number): number => starts[index] ?? made.length;
  return { calls: made, sections: sections.map(({ name, start, end }) => ({ name, start: at(start), end: at(end) })), layers };
}

function tensorsOf({ weights }: KernelCall): readonly (WeightRange & { readonly name: string })[] {
  return weights.flatMap((range) => (range.stack ?? [range]).map(({ tensor = "", rows }) => ({ ...range, name: tensor, rows })));
}

function findBlocks(calls: readonly KernelCall[]): Block[] {
  const blocks = new Map<number, { ups: KernelCall[]; downs: KernelCall[] }>();
  for (const call of calls) {
    const match = tensorsOf(call).flatMap(({ name }) => /^blk\.(\d+)\.ffn_(gate|up|down)\.weight$/.exec(name) ?? []);
    if (match.length === 0) continue;
    const layer = Number(match[1]);
    const block = blocks.get(layer) ?? { ups: [], downs: [] };
    blocks.set(layer, block);
    (match[2] === "down" ? block.downs : block.ups).push(call);
  }
  return [...blocks].map(([layer, { ups, downs }]) => blockOf(layer, { ups, downs, calls }));
}

function blockOf(layer: number, of: { ups: readonly KernelCall[]; downs: readonly KernelCall[]; calls: readonly KernelCall[] }): Block {
  const { ups, downs, calls } = of;
  const [first] = ups;
  const last = downs.at(-1);
  assert(first && last, `layer ${layer} has half a feed-forward block`);
  const [input] = first.inputs;
  if (input.type !== "act") throw unsupported("inputs are quantized; use activations f32 or f16");
  assert(
    ups.every((call) => call.inputs.length === 1 && call.inputs[0].id === input.id && call.vectors.length === 0),
    "gate and up read one value and have no bias: lowered without the pass `norm`",
  );
  assert(
    downs.every(({ vectors }) => vectors.length === 0),
    "down has no bias",
  );
  const ranges = [...ups, ...downs].flatMap(tensorsOf);
  const named = (part: string): { name: string; ggufType: number } => {
    const found = ranges.find(({ name }) => name.endsWith(`.ffn_${part}.weight`));
    assert(found, `layer ${layer} has no ffn_${part}`);
    return found;
  };
  const [gate, up, down] = [named("gate"), named("up"), named("down")];
  if (gate.ggufType !== up.ggufType) throw unsupported(`gate and up of layer ${layer} have different types`);
  const gates = calls.filter((call) => !ups.includes(call) && call.outputs.some(({ id }) => id === last.inputs[0].id));
  const sizes = { hidden: input.cols, intermediate: last.inputs[0].cols };
  return {
    layer,
    calls: new Set([...ups, ...gates, ...downs]),
    last,
    tensors: { gate: gate.name, up: up.name, down: down.name },
    ggufTypes: { up: up.ggufType, down: down.ggufType },
    sizes,
    input,
  };
}

type Make = (name: string, cols: number, type: Value["type"]) => Value;

function layerOf({ layer, tensors, ggufTypes, sizes, input, last }: Block, options: NeuronCallOptions, make: Make): NeuronLayer {
  const { formats, shadow } = options;
  const [up, down] = [formats.get(ggufTypes.up), formats.get(ggufTypes.down)];
  assert(up && down, "the formats of a model are there");
  const plan = planBundles({ up, down, ...sizes });
  const slots = Math.min(options.slots(plan), plan.bundles);
  if (slots < 1) throw unsupported("there is room for no bundle at all");
  const coarse = shadow?.(plan);
  const range = (name: string, { ggufType }: WeightFormat, rows: number, cols: number): WeightRange => {
    return { tensor: `neurons.${layer}.${name}`, ggufType, cols, rowStart: 0, rows };
  };
  const bundled = plan.bundles * plan.neurons;
  return {
    layer,
    plan,
    tensors,
    slots,
    ranges: {
      up: range("up", up, slots * plan.upRows, plan.hidden),
      down: range("down", down, slots * 8, plan.downCols),
    },
    shadow: coarse && {
      range: range("shadow", coarse, bundled, plan.hidden),
      format: coarse,
      scores: make(`blk.${layer}.scores`, plan.bundles, "f32"),
    },
    list: `neurons.${layer}.list`,
    active: make(`blk.${layer}.active`, (slots * plan.neurons) / 32, "u32"),
    input,
    neurons: make(`blk.${layer}.neurons`, slots * plan.neurons, "f32"),
    output: last.inputs.length > 1 ? make(`blk.${layer}.ffn`, plan.hidden, "act") : last.outputs[0],
  };
}

function blockCalls(layer: NeuronLayer, activation: Activation, call: KernelCall): KernelCall[] {
  const { plan, slots, ranges, input, active, shadow, output } = layer;
  const { hidden, neurons, bundles, up, down } = plan;
  const h = layer.neurons;
  const list: Table = { name: layer.list, data: new Float32Array(0) };
  const sizes = { hidden, neurons, slots };
  const calls = [
    kernelCall(neuronUp, { ...sizes, format: up, activation }, { inputs: [input], outputs: [h], weights: [ranges.up], tables: [list] }),
    kernelCall(neuronReport, { neurons, slots }, { inputs: [h], outputs: [active] }),
    kernelCall(neuronDown, { ...sizes, format: down }, { inputs: [h], outputs: [output], weights: [ranges.down], tables: [list] }),
  ];
  if (shadow) {
    const operands = { inputs: [input], outputs: [shadow.scores], weights: [shadow.range] };
    calls.push(kernelCall(neuronScores, { format: shadow.format, hidden, neurons, bundles }, operands));
  }
  if (output !== call.outputs[0]) {
    const residual = call.inputs[1];
    calls.push(kernelCall(add, { cols: hidden }, { inputs: [residual, output], outputs: [call.outputs[0]] }));
  }
  return calls;
}

function unsupported(why: string): ShaderloomError {
  const message = `Neurons of this model cannot be streamed: ${why}. Load it without execution.neurons.`;
  return new ShaderloomError("UNSUPPORTED.bundles", message);
}
