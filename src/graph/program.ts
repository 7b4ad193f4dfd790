// A compiled graph: a flat list of (pipeline, bind groups, grid) that a step replays. Encoding creates no objects; only
// `bind` makes bind groups, from ranges that the engine hands over as data (decision 1).

import { assert } from "../base/errors.ts";
import type { BufferLedger } from "../gpu/buffers.ts";
import type { PipelineCache, Pipeline } from "../gpu/pipelines.ts";
import type { ShaderRequest } from "../gpu/shader.ts";
import type { KernelBinding, KernelTarget, StepShape, Variant } from "../kernels/kernel.ts";
import { type BindTable, layerBinding } from "./bind_table.ts";
import type { KernelCall } from "./call.ts";
import type { Value } from "./ir.ts";
import type { SlabRange, WeightLayout } from "./layout.ts";
import { callTargets, rowsOver, type TierLimits } from "./tiers.ts";
import { type MemoryPlan, type MemoryShape, planMemory } from "./memory.ts";
import { type BoundDispatch, Recording } from "./recording.ts";
import { allocateShapes, Shapes } from "./shapes.ts";

export type { BindTable } from "./bind_table.ts";

/** Dispatches of a program from one to before another. */
export interface DispatchRange {
  readonly start: number;
  readonly end: number;
}

/** What is encoded of a step: sections by their names, or a range. */
export type StepPart = readonly string[] | DispatchRange;

/** A named run of calls; a step encodes one or several. */
export interface Section extends DispatchRange {
  readonly name: string;
}

export interface ProgramOptions extends MemoryShape {
  readonly device: GPUDevice;
  readonly ledger: BufferLedger;
  readonly label: string;
  readonly calls: readonly KernelCall[];
  readonly sections: readonly Section[];
  readonly target: KernelTarget;
  readonly layout: WeightLayout;
  /** Products with fewer tiers than they could have. */
  readonly tiers?: TierLimits | undefined;
  /** Rows that the step state has room for: equal in all programs of a model, so that equal kernels are one pipeline. */
  readonly stepRows: number;
  /** Values read after the step: logits, picks, the head's input. */
  readonly keep: readonly Value[];
  /** Keeps every value in a buffer of its own, for comparison with the interpreter. */
  readonly keepAll?: boolean;
}

/** What a dispatch runs for steps of up to `maxRows` rows. */
interface Tier {
  readonly maxRows: number;
  readonly variant: Variant;
  readonly pipeline: Pipeline;
  tensors?: GPUBindGroup;
}

interface Dispatch {
  readonly call: KernelCall;
  /** Rows that the tiers are about. */
  readonly over: "rows" | "outputRows";
  /** Smallest first; the last holds every step. Products have several. */
  readonly tiers: readonly Tier[];
}

/** One dispatch of a step: what it is for and what runs. */
export interface StepDispatch {
  /** Its place in the program, for `encodeOne`. */
  readonly index: number;
  readonly call: KernelCall;
  readonly variant: Variant;
  /** Dispatches with the same pipeline run the same text. */
  readonly pipeline: GPUComputePipeline;
}

/** Picks what a call runs on a target; tuning/ knows how, the first variant is always right. */
export type Choose = (call: KernelCall, target: KernelTarget) => Promise<Variant>;

/** The activation buffers of a program, which the ledger frees. */
export interface Activations {
  readonly plan: MemoryPlan;
  readonly buffers: readonly GPUBuffer[];
  /** Of dispatches that share pipelines. */
  readonly shapes: GPUBuffer | undefined;
}

/** Everything that a program allocates, before it is compiled: called under a memory check. */
export function allocateActivations(options: ProgramOptions): Activations {
  const plan = planMemory(options.calls, options, new Set(options.keep.map((value) => value.id)), options.keepAll);
  const buffers = plan.buffers.map(({ bytes }, index) =>
    options.ledger.create("activations", { label: `${options.label} activations ${index}`, size: bytes }),
  );
  return { plan, buffers, shapes: allocateShapes(options) };
}

/** A flat list of dispatches. */
export class Program {
  readonly label: string;
  /** Most rows that the head runs over at once. */
  readonly maxOutputRows: number;
  readonly #device: GPUDevice;
  readonly #dispatches: Dispatch[];
  readonly #sections: ReadonlyMap<string, Section>;
  readonly #layout: WeightLayout;
  readonly #activations: Activations;
  readonly #shapes: Shapes;
  #step: GPUBindGroup | undefined;
  /** Of the last step, by what was encoded of it: the next one mostly has its shape. */
  readonly #recordings = new Map<unknown, Recording>();

  constructor(options: ProgramOptions, activations: Activations, dispatches: Dispatch[]) {
    this.label = options.label;
    this.maxOutputRows = options.maxOutputRows;
    this.#device = options.device;
    this.#dispatches = dispatches;
    this.#sections = new Map(options.sections.map((section) => [section.name, section]));
    this.#layout = options.layout;
    this.#activations = activations;
    this.#shapes = new Shapes(options.device, activations.shapes);
  }

  /** Bytes of activation buffers. */
  get bytes(): number {
    return this.#activations.plan.bytes;
  }

  /** What its dispatches run, each once. */
  get pipelines(): ReadonlySet<GPUComputePipeline> {
    return new Set(this.#dispatches.flatMap(({ tiers }) => tiers.map(({ pipeline }) => pipeline.pipeline)));
  }

  /** Dispatches of the named sections, or of all. */
  dispatchCount(sections?: readonly string[]): number {
    return this.#ranges(sections).reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** The buffer that holds a kept value after a step. */
  buffer(value: Value): GPUBuffer {
    const index = this.#activations.plan.placement.get(value.id);
    assert(index !== undefined, `${value.name} has no buffer in ${this.label}`);
    return this.#activations.buffers[index];
  }

  /** Makes all bind groups. Called after load and again when a buffer of the table was replaced. */
  bind(table: BindTable): void {
    const device = this.#device;
    this.#step = undefined;
    this.#recordings.clear();
    for (const { call, tiers } of this.#dispatches) {
      for (const [index, tier] of tiers.entries()) {
        const { pipeline } = tier;
        const same = tiers.slice(0, index).find((other) => other.pipeline === pipeline && !other.variant.shape);
        tier.tensors = same?.tensors ?? this.#bindTier(call, tier, table);
        if (pipeline.step && !this.#step) {
          this.#step = device.createBindGroup({
            label: "step",
            layout: pipeline.step,
            entries: [{ binding: 0, resource: { ...table.state } }],
          });
        }
      }
    }
  }

  /**
   * Encodes a part of one step.
   * @param part  sections by their names, all when not given, or dispatches from `start` to `end`; the same object in each step
   */
  encode(pass: GPUComputePassEncoder, step: StepShape, part?: StepPart): void {
    let recording = this.#recordings.get(part);
    if (!recording?.holds(step)) {
      const ranges = part && "end" in part ? [part] : this.#ranges(part);
      const bound = ranges.flatMap(({ start, end }) => this.#dispatches.slice(start, end).map((one) => boundFor(one, step)));
      recording = new Recording(bound, step, this.#step);
      this.#recordings.set(part, recording);
    }
    recording.replay(pass, step);
  }

  /** Encodes one dispatch of a step. */
  encodeOne(pass: GPUComputePassEncoder, index: number, step: StepShape): void {
    new Recording([boundFor(this.#dispatches[index], step)], step, this.#step).replay(pass, step);
  }

  /** The dispatches that `encode` makes of a step, in order. */
  dispatches(step: StepShape, sections?: readonly string[]): StepDispatch[] {
    return this.#ranges(sections).flatMap(({ start, end }) =>
      this.#dispatches.slice(start, end).map((dispatch, offset) => {
        const { variant, pipeline } = tierFor(dispatch, step);
        return { index: start + offset, call: dispatch.call, variant, pipeline: pipeline.pipeline };
      }),
    );
  }

  #bindTier(call: KernelCall, { variant, pipeline }: Tier, table: BindTable): GPUBindGroup {
    const entries = variant.bindings.map((operand, binding): GPUBindGroupEntry => {
      return { binding, resource: operand.from === "shape" ? this.#shapes.bind(variant) : this.#resource(call, operand, table) };
    });
    return this.#device.createBindGroup({ label: variant.key, layout: pipeline.tensors, entries });
  }

  #ranges(sections?: readonly string[]): Section[] {
    if (!sections) return [{ name: "all", start: 0, end: this.#dispatches.length }];
    return sections.map((name) => {
      const section = this.#sections.get(name);
      assert(section, `no section ${name}`);
      return section;
    });
  }

  #resource(call: KernelCall, binding: KernelBinding, table: BindTable): GPUBufferBinding {
    const { from } = binding;
    if (from === "kv" || from === "tail" || from === "scores") return layerBinding(from, call.layer, table);
    if (from === "pages") return { ...table.pages };
    if (from === "state") return { ...table.state };
    if (from === "sampling" || from === "adjust" || from === "mask") {
      const range = table[from];
      assert(range, `a program that samples is bound with ${from}`);
      return { ...range };
    }
    const index = Number(/\d+$/.exec(from)?.[0]);
    if (from.startsWith("input")) return { buffer: this.buffer(call.inputs[index]) };
    if (from.startsWith("output")) return { buffer: this.buffer(call.outputs[index]) };
    if (from.startsWith("table")) return { buffer: table.table(call.tables[index].name) };
    const range = from.startsWith("weight") ? this.#layout.matrix(call.weights[index]) : this.#layout.vector(call.vectors[index]);
    return slabBinding(range, (name) => table.slab(name));
  }
}

/** A range of a slab as a binding. */
export function slabBinding(range: SlabRange, slab: BindTable["slab"]): GPUBufferBinding {
  const { buffer, offset = 0 } = slab(range.slab);
  return { buffer, offset: offset + range.byteOffset, size: range.bytes };
}

/** The smallest tier that holds a step. */
function tierFor({ tiers, over }: Dispatch, step: StepShape): Tier {
  const rows = step[over];
  let index = 0;
  while (index < tiers.length - 1 && tiers[index].maxRows < rows) index++;
  return tiers[index];
}

function boundFor(dispatch: Dispatch, step: StepShape): BoundDispatch {
  const { variant, pipeline, tensors } = tierFor(dispatch, step);
  assert(tensors, "bind comes before encode");
  return { variant, pipeline: pipeline.pipeline, tensors };
}

/** What a pipeline of a program is asked for with. */
export function programRequest({ key, header, bindings, files, usesStep }: Variant, stepRows: number): ShaderRequest {
  return { label: key, header, bindings, files, ...(usesStep ? { stepRows } : {}) };
}

/** The variant of a call that is right everywhere. */
export const chooseFirst: Choose = async (call, target) => {
  const [variant] = call.variants(target);
  assert(variant, `no variant of ${call.kernel} runs on this adapter`);
  return variant;
};

/** What compiling a program takes. */
export interface Compiling {
  readonly pipelines: PipelineCache;
  readonly activations: Activations;
  readonly choose?: Choose;
}

/** Chooses variants for each call and compiles all pipelines in parallel. */
export async function compileProgram(
  options: ProgramOptions,
  { pipelines, activations, choose = chooseFirst }: Compiling,
): Promise<Program> {
  const compileTier = async (call: KernelCall, target: KernelTarget): Promise<Tier> => {
    const variant = await choose(call, target);
    return { maxRows: target.maxRows, variant, pipeline: await pipelines.get(programRequest(variant, options.stepRows)) };
  };
  const dispatches = options.calls.map(async (call): Promise<Dispatch> => ({
    call,
    over: rowsOver(call),
    tiers: await Promise.all(callTargets(call, options).map((target) => compileTier(call, target))),
  }));
  return new Program(options, activations, await Promise.all(dispatches));
}
