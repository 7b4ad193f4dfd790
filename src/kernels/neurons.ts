// A feed-forward block of which some bundles of neurons are there: gate and up of those, down of those, which neurons were active, and
// scores of all bundles by a coarse copy of gate. Bundles lie in slots; a list that the CPU writes says which of them count. For one layer
// and rows of any sequences. A model that is not streamed runs none of this, so the shaders come with it.

import downCpuShader from "../../shaders/neuron_down_cpu.wgsl?raw";
import downShader from "../../shaders/neuron_down.wgsl?raw";
import reportShader from "../../shaders/neuron_report.wgsl?raw";
import scoresCpuShader from "../../shaders/neuron_scores_cpu.wgsl?raw";
import scoresShader from "../../shaders/neuron_scores.wgsl?raw";
import upCpuShader from "../../shaders/neuron_up_cpu.wgsl?raw";
import upShader from "../../shaders/neuron_up.wgsl?raw";
import { assert } from "../base/errors.ts";
import { blockWidth, rowGroupSize, rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { Rng } from "../base/rng.ts";
import type { WeightFormat } from "../formats/format.ts";
import type { Header, ShaderFile } from "../gpu/shader.ts";
import type { Activation } from "./activation.ts";
import type { Grid, Kernel, KernelBinding, KernelTarget, Narrowed, OperandSpecs, StepShape, Variant } from "./kernel.ts";
import { weightFiles } from "./matrix.ts";
import { loopPart, makeHeader, supports, variantKey } from "./target.ts";
import { streamedBytes } from "./work.ts";

/** Words before the slots in a list: how many there are, and the f32 below which outputs of neurons count as zero. */
export const listHeaderWords = 4;

/** Bundles in slots. */
export interface SlotAttributes {
  readonly format: WeightFormat;
  /** Columns of the block's input and output, a multiple of 32. */
  readonly hidden: number;
  /** Neurons of a bundle, a multiple of 32. */
  readonly neurons: number;
  /** Slots that there are, and so the most that a list can name. */
  readonly slots: number;
  /** Slots that have weights, where a check makes no more; default all. */
  readonly filled?: number;
}

export interface NeuronUpAttributes extends SlotAttributes {
  readonly activation: Activation;
}

export type NeuronReportAttributes = Pick<SlotAttributes, "neurons" | "slots">;

export interface NeuronScoresAttributes extends Pick<SlotAttributes, "format" | "hidden" | "neurons"> {
  readonly bundles: number;
}

const lanes = 64;
/** Groups of 8 outputs that a thread of a CPU driver sums at once. */
const cpuGroups = 4;

/** What the variants of a kernel are made of. */
interface Plan {
  readonly name: string;
  readonly details: readonly string[];
  readonly files: { readonly gpu: ShaderFile; readonly cpu: ShaderFile };
  readonly parts: readonly ShaderFile[];
  readonly bindings: readonly KernelBinding[];
  readonly consts: Header["consts"];
  readonly grid: (step: StepShape, cpu: boolean) => Grid;
}

function variantsOf(target: KernelTarget, plan: Plan): readonly Variant[] {
  if (!supports(target)) return [];
  const cpu = target.deviceClass === "cpu";
  return [
    {
      key: variantKey(target, plan.name, ...plan.details),
      precision: target.precision,
      header: makeHeader(target, plan.consts),
      files: [cpu ? plan.files.cpu : plan.files.gpu, ...plan.parts, ...(cpu ? [] : [loopPart(target)])],
      bindings: plan.bindings,
      usesStep: true,
      grid: (step) => plan.grid(step, cpu),
    },
  ];
}

function productFiles(format: WeightFormat): readonly ShaderFile[] {
  return ["parts/dot/product.wgsl", "parts/dot/f32.wgsl", ...weightFiles(format)];
}

function reads(type: string): Pick<KernelBinding, "type" | "access"> {
  return { type, access: "read" };
}

/** Operands of the kernels over slots. */
const weightBinding: KernelBinding = { name: "w", from: "weight0", ...reads("array<vec4<u32>>") };
const listBinding: KernelBinding = { name: "list", from: "table0", ...reads("array<u32>") };

function checkSizes({ hidden, neurons }: Pick<SlotAttributes, "hidden" | "neurons">): void {
  assert(hidden % blockWidth === 0 && neurons % blockWidth === 0, `${neurons} neurons of ${hidden} inputs are no whole blocks`);
}

/** Lists of distinct slots in any order: some of them, with a threshold now and then. */
function listSpecs({ slots, filled = slots }: Pick<SlotAttributes, "slots" | "filled">): NonNullable<OperandSpecs["lists"]> {
  // Slots in steps that reach every one of them once.
  const stride = [5, 3, 7, 11].find((step) => slots % step !== 0) ?? 1;
  const count = Math.ceil(slots * 0.7);
  const word = (_: Rng, index: number): number => {
    if (index === 0) return count;
    if (index === 1) return new Uint32Array(Float32Array.of(slots % 2 === 0 ? 0 : 0.25).buffer)[0];
    const entry = index - listHeaderWords;
    return entry < 0 ? 0 : entry < count ? ((entry * stride) % slots) % filled : 0xffff;
  };
  return [{ length: listHeaderWords + slots, word }];
}

/** Two slots suffice to tell one from another. */
function narrowSlots<A extends SlotAttributes>(attributes: A): Narrowed<A> {
  return { attributes: { ...attributes, filled: Math.min(2, attributes.slots) } };
}

/** h [rows, slots * neurons] in f32 = f(gate x) * (up x) of the listed slots, in the list's order; zero behind them. */
export const neuronUp: Kernel<NeuronUpAttributes> = {
  name: "neuron_up",
  outputs: ({ neurons, slots }) => [{ rows: "rows", cols: slots * neurons, type: "f32" }],
  variants(attributes, target) {
    const { format, hidden, neurons, slots, activation } = attributes;
    checkSizes(attributes);
    const [blocks, groups] = [hidden / blockWidth, neurons / rowGroupSize];
    return variantsOf(target, {
      name: "neuron_up",
      details: [format.name, activation, `of${neurons}`],
      files: { gpu: { name: "neuron_up.wgsl", text: upShader }, cpu: { name: "neuron_up_cpu.wgsl", text: upCpuShader } },
      parts: [...productFiles(format), `parts/activation/${activation}.wgsl`],
      bindings: [
        { name: "x", from: "input0", ...reads("array<vec4<act_t>>") },
        weightBinding,
        listBinding,
        { name: "h", from: "output0", type: "array<f32>", access: "read_write" },
      ],
      consts: { WG: lanes, NEURONS: neurons, ENTRIES: slots, BLOCKS: blocks, X_STRIDE: hidden / 4, ...format.constants(hidden) },
      grid: (step, cpu) => [cpu ? slots : slots * groups, step.rows, 1],
    });
  },
  operands: (attributes) => ({
    inputs: [{ rows: "rows", cols: attributes.hidden, type: "act" }],
    weights: [
      { format: attributes.format, rows: 2 * (attributes.filled ?? attributes.slots) * attributes.neurons, cols: attributes.hidden },
    ],
    lists: listSpecs(attributes),
  }),
  narrow: narrowSlots,
  work: (attributes, step) => ({
    bytes: streamedBytes(neuronUp.operands(attributes), neuronUp.outputs(attributes), step),
    macs: step.rows * 2 * attributes.slots * attributes.neurons * attributes.hidden,
  }),
};

/** Half of the neurons or so, and some blocks of them whole, are zero after a ReLU. */
function sparse(rng: Rng, col: number): number {
  const value = rng.normal();
  return Math.floor(col / blockWidth) % 3 === 1 || rng.unit() < 0.4 ? 0 : value;
}

/** y [rows, hidden] = down of the listed slots' neurons times h; see formats/bundle.ts for where down lies. */
export const neuronDown: Kernel<SlotAttributes> = {
  name: "neuron_down",
  outputs: ({ hidden }) => [{ rows: "rows", cols: hidden, type: "act" }],
  variants(attributes, target) {
    const { format, hidden, neurons, slots } = attributes;
    checkSizes(attributes);
    const groups = hidden / rowGroupSize;
    return variantsOf(target, {
      name: "neuron_down",
      details: [format.name, `of${neurons}`],
      files: { gpu: { name: "neuron_down.wgsl", text: downShader }, cpu: { name: "neuron_down_cpu.wgsl", text: downCpuShader } },
      parts: productFiles(format),
      bindings: [
        { name: "x", from: "input0", ...reads("array<vec4<f32>>") },
        weightBinding,
        listBinding,
        { name: "y", from: "output0", type: "array<act_t>", access: "read_write" },
      ],
      consts: {
        WG: lanes,
        NEURONS: neurons,
        ENTRIES: slots,
        HIDDEN: hidden,
        GROUPS: cpuGroups,
        X_STRIDE: (slots * neurons) / 4,
        ...format.constants(groups * neurons),
      },
      grid: (step, cpu) => [cpu ? ceilDiv(groups, cpuGroups) : groups, step.rows, 1],
    });
  },
  operands: (attributes) => ({
    inputs: [{ rows: "rows", cols: attributes.slots * attributes.neurons, type: "f32", fill: (rng, _, col) => sparse(rng, col) }],
    weights: [
      {
        format: attributes.format,
        rows: (attributes.filled ?? attributes.slots) * rowGroupSize,
        cols: (attributes.hidden / rowGroupSize) * attributes.neurons,
      },
    ],
    lists: listSpecs(attributes),
  }),
  narrow: narrowSlots,
  work: (attributes, step) => ({
    bytes: streamedBytes(neuronDown.operands(attributes), neuronDown.outputs(attributes), step),
    macs: step.rows * attributes.slots * attributes.neurons * attributes.hidden,
  }),
};

/** active [rows, slots * neurons / 32]: a bit for each element of h that is not zero. */
export const neuronReport: Kernel<NeuronReportAttributes> = {
  name: "neuron_report",
  outputs: ({ neurons, slots }) => [{ rows: "rows", cols: (slots * neurons) / blockWidth, type: "u32" }],
  variants({ neurons, slots }, target) {
    const words = (slots * neurons) / blockWidth;
    const file = { name: "neuron_report.wgsl", text: reportShader };
    const [variant] = variantsOf(target, {
      name: "neuron_report",
      details: [],
      files: { gpu: file, cpu: file },
      parts: [],
      bindings: [
        { name: "h", from: "input0", ...reads("array<vec4<f32>>") },
        { name: "active_bits", from: "output0", type: "array<u32>", access: "read_write" },
      ],
      consts: { WG: lanes, WORDS: words },
      grid: (step) => [ceilDiv(words, lanes), step.rows, 1],
    });
    return variant ? [{ ...variant, files: [file] }] : [];
  },
  operands: ({ neurons, slots }) => ({
    inputs: [{ rows: "rows", cols: slots * neurons, type: "f32", fill: (rng, _, col) => sparse(rng, col) }],
  }),
  work: (attributes, step) => ({
    bytes: streamedBytes(neuronReport.operands(attributes), neuronReport.outputs(attributes), step),
    macs: 0,
  }),
};

/** scores [rows, bundles] in f32: the largest gate . x of each bundle's neurons, by a coarse copy of gate. */
export const neuronScores: Kernel<NeuronScoresAttributes> = {
  name: "neuron_scores",
  outputs: ({ bundles }) => [{ rows: "rows", cols: bundles, type: "f32" }],
  variants(attributes, target) {
    const { format, hidden, neurons, bundles } = attributes;
    checkSizes(attributes);
    const stride = rowStride(bundles);
    return variantsOf(target, {
      name: "neuron_scores",
      details: [format.name, `of${neurons}`],
      files: { gpu: { name: "neuron_scores.wgsl", text: scoresShader }, cpu: { name: "neuron_scores_cpu.wgsl", text: scoresCpuShader } },
      parts: productFiles(format),
      bindings: [
        { name: "x", from: "input0", ...reads("array<vec4<act_t>>") },
        weightBinding,
        { name: "scores", from: "output0", type: "array<f32>", access: "read_write" },
      ],
      consts: {
        WG: lanes,
        NEURONS: neurons,
        BUNDLES: bundles,
        STRIDE: stride,
        BLOCKS: hidden / blockWidth,
        X_STRIDE: hidden / 4,
        ...format.constants(hidden),
      },
      grid: (step, cpu) => [cpu ? ceilDiv(stride, 8) : stride, step.rows, 1],
    });
  },
  operands: ({ format, hidden, neurons, bundles }) => ({
    inputs: [{ rows: "rows", cols: hidden, type: "act" }],
    weights: [{ format, rows: bundles * neurons, cols: hidden }],
  }),
  work: (attributes, step) => ({
    bytes: streamedBytes(neuronScores.operands(attributes), neuronScores.outputs(attributes), step),
    macs: step.rows * attributes.bundles * attributes.neurons * attributes.hidden,
  }),
};
