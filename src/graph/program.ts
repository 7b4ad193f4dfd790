// A compiled graph: a flat list of (pipeline, bind groups, grid) that a step replays. Encoding creates no objects; only
// `bind` makes bind groups, from ranges that the engine hands over as data (decision 1).

import { assert } from "../base/errors.ts";
import type { BufferLedger } from "../gpu/buffers.ts";
import type { PipelineCache, Pipeline } from "../gpu/pipelines.ts";
import type { Grid, KernelBinding, KernelTarget, StepShape, Variant } from "../kernels/kernel.ts";
import type { KernelCall } from "./call.ts";
import type { Value } from "./ir.ts";
import type { SlabRange, WeightLayout } from "./layout.ts";
import { type MemoryPlan, type MemoryShape, planMemory } from "./memory.ts";

/** A range of a GPU buffer. */
export interface BufferRange {
  readonly buffer: GPUBuffer;
  readonly offset?: number;
  readonly size?: number;
}

/** The buffers that a program does not own: weights, constants, KV pages, page table and step state. */
export interface BindTable {
  slab(name: string): GPUBuffer;
  table(name: string): GPUBuffer;
  kv(layer: number): GPUBuffer;
  readonly pages: BufferRange;
  readonly state: BufferRange;
}

/** A named run of calls; a step encodes one or several. */
export interface Section {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

export interface ProgramOptions extends MemoryShape {
  readonly device: GPUDevice;
  readonly ledger: BufferLedger;
  readonly label: string;
  readonly calls: readonly KernelCall[];
  readonly sections: readonly Section[];
  readonly target: KernelTarget;
  readonly layout: WeightLayout;
  /** Values read after the step: logits, picks, the head's input. */
  readonly keep: readonly Value[];
  /** Keeps every value in a buffer of its own, for comparison with the interpreter. */
  readonly keepAll?: boolean;
}

interface Dispatch {
  readonly call: KernelCall;
  readonly variant: Variant;
  readonly pipeline: Pipeline;
  tensors?: GPUBindGroup;
}

/** The activation buffers of a program, which the ledger frees. */
export interface Activations {
  readonly plan: MemoryPlan;
  readonly buffers: readonly GPUBuffer[];
}

/** Everything that a program allocates, before it is compiled: called under a memory check. */
export function allocateActivations(options: ProgramOptions): Activations {
  const plan = planMemory(options.calls, options, new Set(options.keep.map((value) => value.id)), options.keepAll);
  const buffers = plan.buffers.map(({ bytes }, index) =>
    options.ledger.create("activations", { label: `${options.label} activations ${index}`, size: bytes }),
  );
  return { plan, buffers };
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
  #step: GPUBindGroup | undefined;

  constructor(options: ProgramOptions, activations: Activations, dispatches: Dispatch[]) {
    this.label = options.label;
    this.maxOutputRows = options.maxOutputRows;
    this.#device = options.device;
    this.#dispatches = dispatches;
    this.#sections = new Map(options.sections.map((section) => [section.name, section]));
    this.#layout = options.layout;
    this.#activations = activations;
  }

  /** Bytes of activation buffers. */
  get bytes(): number {
    return this.#activations.plan.bytes;
  }

  /** Dispatches of the named sections, or of all. */
  dispatchCount(sections?: readonly string[]): number {
    return this.#ranges(sections).reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** Keys of the chosen variants, one for each dispatch. */
  variantKeys(): string[] {
    return this.#dispatches.map(({ variant }) => variant.key);
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
    for (const dispatch of this.#dispatches) {
      const { call, variant, pipeline } = dispatch;
      dispatch.tensors = device.createBindGroup({
        label: variant.key,
        layout: pipeline.tensors,
        entries: variant.bindings.map((binding, index) => ({ binding: index, resource: this.#resource(call, binding, table) })),
      });
      if (pipeline.step && !this.#step) {
        this.#step = device.createBindGroup({
          label: "step",
          layout: pipeline.step,
          entries: [{ binding: 0, resource: { ...table.state } }],
        });
      }
    }
  }

  /** Encodes the named sections (or all) of one step. */
  encode(pass: GPUComputePassEncoder, step: StepShape, sections?: readonly string[]): void {
    for (const { start, end } of this.#ranges(sections)) {
      for (let index = start; index < end; index++) {
        const { variant, pipeline, tensors } = this.#dispatches[index];
        assert(tensors, "bind comes before encode");
        const grid: Grid = variant.grid(step);
        pass.setPipeline(pipeline.pipeline);
        pass.setBindGroup(0, tensors);
        if (pipeline.step && this.#step) pass.setBindGroup(1, this.#step);
        pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
      }
    }
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
    if (from === "kv") {
      assert(call.layer !== undefined, "a call that binds kv names its layer");
      return { buffer: table.kv(call.layer) };
    }
    if (from === "pages") return { ...table.pages };
    if (from === "state") return { ...table.state };
    const index = Number(/\d+$/.exec(from)?.[0]);
    if (from.startsWith("input")) return { buffer: this.buffer(call.inputs[index]) };
    if (from.startsWith("output")) return { buffer: this.buffer(call.outputs[index]) };
    if (from.startsWith("table")) return { buffer: table.table(call.tables[index].name) };
    const range = from.startsWith("weight") ? this.#layout.matrix(call.weights[index]) : this.#layout.vector(call.vectors[index]);
    return slabBinding(range, table);
  }
}

function slabBinding(range: SlabRange, table: BindTable): GPUBufferBinding {
  return { buffer: table.slab(range.slab), offset: range.byteOffset, size: range.bytes };
}

/** Chooses a variant for each call and compiles all pipelines in parallel. */
export async function compileProgram(pipelines: PipelineCache, options: ProgramOptions, activations: Activations): Promise<Program> {
  const dispatches = await Promise.all(
    options.calls.map(async (call): Promise<Dispatch> => {
      const overHead = call.outputs[0]?.rows === "outputRows" || (call.outputs.length === 0 && call.inputs[0]?.rows === "outputRows");
      const target = overHead ? { ...options.target, maxRows: options.maxOutputRows } : options.target;
      const [variant] = call.variants(target);
      assert(variant, `no variant of ${call.kernel} runs on this adapter`);
      const pipeline = await pipelines.get({
        label: variant.key,
        header: variant.header,
        bindings: variant.bindings,
        files: variant.files,
        ...(variant.usesStep ? { stepRows: options.maxRows } : {}),
      });
      return { call, variant, pipeline };
    }),
  );
  return new Program(options, activations, dispatches);
}
