// Products in the model's own weights: one dispatch on made-up activations to be compared, many to be timed. Owns the activations of both;
// the weights stay where the model has them. Decides nothing.

import { assert } from "../base/errors.ts";
import { bindAlignment, rowStride } from "../base/layout.ts";
import { alignUp } from "../base/math.ts";
import { type Rng, seededRng } from "../base/rng.ts";
import { type BufferLedger, readbackUsage, storageUsage, uniformUsage, withMemoryCheck } from "../gpu/buffers.ts";
import type { Pipeline } from "../gpu/pipelines.ts";
import type { WeightRange } from "../graph/call.ts";
import { rowsOver } from "../graph/tiers.ts";
import {
  type CpuTensor,
  type KernelTarget,
  operandStride,
  type OperandSpecs,
  type OutputSpec,
  type StepRow,
  type Variant,
} from "../kernels/kernel.ts";
import { type KernelClass, productOf, shapeOf } from "./classes.ts";
import { lost, scoped } from "./execute.ts";
import { elementType, makeInput, packRows, packStep } from "./operands.ts";

export interface ProductBenchOptions {
  readonly device: GPUDevice;
  /** Everything is made in it, and destroyed with the bench. */
  readonly ledger: BufferLedger;
  readonly weights: (range: WeightRange) => GPUBufferBinding;
}

/** A variant that compiled. */
export interface Compiled {
  readonly variant: Variant;
  readonly pipeline: Pipeline;
}

/** Activations of a class: different in the first rows, which repeat. */
export interface Activations {
  /** The different rows of each input. */
  readonly inputs: readonly CpuTensor[];
  readonly vectors: readonly Float32Array<ArrayBuffer>[];
}

/** Different rows of activations: a number that no tile has, so that a row in another's place shows. */
export const differentRows = 7;

/** Random numbers enough for a row, made once: a prime, so that rows differ. */
const poolLength = 32749;

/** Layers whose weights take turns, so that caches do not lie. */
const mostLayers = 6;

/** What a finished dispatch wrote into one row of the output. */
export interface WrittenRow {
  readonly row: number;
  /** As many as a row of the output has, padding included. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same of the best of eight columns, where the product keeps them. */
  readonly best: Uint8Array<ArrayBuffer> | undefined;
}

export class ProductBench {
  readonly #options: ProductBenchOptions;
  readonly #buffers = new Map<string, GPUBuffer>();
  readonly #pool: Float32Array;

  constructor(options: ProductBenchOptions) {
    this.#options = options;
    const rng = seededRng(11);
    this.#pool = Float32Array.from({ length: poolLength }, () => rng.normal());
  }

  /**
   * Makes room for classes over so many rows each.
   * @throws {ShaderloomError} GPU.oom
   */
  async reserve(wanted: readonly { readonly cls: KernelClass; readonly count: number }[]): Promise<void> {
    const sizes = new Map<string, number>();
    for (const { cls, count } of wanted) {
      for (const [name, size] of operandSizes(cls, count)) sizes.set(name, Math.max(size, sizes.get(name) ?? 0));
    }
    await withMemoryCheck(
      this.#options.device,
      () => "Close other tabs that use the GPU.",
      () => {
        for (const [name, size] of sizes) {
          const old = this.#buffers.get(name);
          if (old && old.size >= size) continue;
          if (old) this.#options.ledger.destroy(old);
          this.#buffers.delete(name);
          const usage = name === "state" || name === "shape" ? storageUsage | uniformUsage : storageUsage;
          this.#buffers.set(name, this.#options.ledger.create("other", { label: `tuning ${name}`, size, usage }));
        }
      },
    );
  }

  /** Fills the buffers for a class; everything before the call has been submitted. */
  fill(cls: KernelClass, count: number): Activations {
    const { queue } = this.#options.device;
    const rng = this.#rng(cls.key.length + count);
    const { inputs, vectors = [] } = specsOf(cls);
    const made = (inputs ?? []).map((spec, index) => {
      const type = elementType(spec.type, cls.target);
      const rows = Math.min(count, differentRows);
      const tensor = makeInput(spec, rows, type, rng);
      queue.writeBuffer(this.#buffer(`input${index}`), 0, repeatRows(packRows(tensor, operandStride(spec), type), rows, count));
      return tensor;
    });
    const filled = vectors.map((length, index) => {
      const data = Float32Array.from({ length }, () => rng.normal());
      const padded = new Float32Array(rowStride(length));
      padded.set(data);
      queue.writeBuffer(this.#buffer(`vector${index}`), 0, padded);
      return data;
    });
    queue.writeBuffer(this.#buffer("state"), 0, stateOf(cls, count));
    return { inputs: made, vectors: filled };
  }

  /**
   * One dispatch; the given rows of the output hold NaN before. Submits before it returns.
   * @throws {ShaderloomError} GPU.error when the device refuses the dispatch, GPU.oom, GPU.lost
   */
  async run(cls: KernelClass, compiled: Compiled, at: { readonly count: number; readonly rows: readonly number[] }): Promise<WrittenRow[]> {
    const { device, ledger } = this.#options;
    const rowBytes = [outputOf(cls), bestOutputOf(cls)].flatMap((output) => (output ? [output.rowBytes] : []));
    const allBytes = rowBytes.reduce((sum, bytes) => sum + bytes, 0);
    const outputs = rowBytes.map((bytes, index) => ({ buffer: this.#buffer(`output${index}`), bytes, at: index * rowBytes[0] }));
    let readback: GPUBuffer | undefined;
    try {
      await scoped(device, compiled.variant.key, () => {
        readback = ledger.create("other", { label: "tuning readback", size: at.rows.length * allBytes, usage: readbackUsage });
        for (const { buffer, bytes } of outputs) {
          const nothing = new Uint8Array(bytes).fill(0xff);
          for (const row of at.rows) device.queue.writeBuffer(buffer, row * bytes, nothing);
        }
        const encoder = device.createCommandEncoder({ label: compiled.variant.key });
        const pass = encoder.beginComputePass();
        this.encode(pass, cls, { compiled, groups: this.bind(cls, compiled, 1), count: at.count, repeats: 1 });
        pass.end();
        for (const [index, row] of at.rows.entries()) {
          for (const { buffer, bytes, at: offset } of outputs) {
            encoder.copyBufferToBuffer(buffer, row * bytes, readback, index * allBytes + offset, bytes);
          }
        }
        device.queue.submit([encoder.finish()]);
      });
      assert(readback, "a submitted check is read back");
      await readback.mapAsync(1).catch(lost); // GPUMapMode.READ
      const all = new Uint8Array(readback.getMappedRange().slice(0));
      return at.rows.map((row, index) => {
        const [bytes, best] = outputs.map(({ at: offset, bytes: size }) => {
          return all.slice(index * allBytes + offset, index * allBytes + offset + size);
        });
        return { row, bytes, best };
      });
    } finally {
      if (readback) ledger.destroy(readback);
    }
  }

  /** Bind groups over the weights of some of the class's calls; what a shape is read from is as for this variant until the next `bind`. */
  bind(cls: KernelClass, { variant, pipeline }: Compiled, layers: number = mostLayers): BindGroups {
    const { device, weights } = this.#options;
    if (variant.shape) device.queue.writeBuffer(this.#buffer("shape"), 0, variant.shape);
    const tensors = cls.calls.slice(0, layers).map((call) =>
      device.createBindGroup({
        label: variant.key,
        layout: pipeline.tensors,
        entries: variant.bindings.map(({ from }, binding) => {
          const range = from.startsWith("weight") ? call.weights[Number(from.slice("weight".length))] : undefined;
          return { binding, resource: range ? weights(range) : { buffer: this.#buffer(from) } };
        }),
      }),
    );
    const entries = [{ binding: 0, resource: { buffer: this.#buffer("state") } }];
    return { tensors, step: pipeline.step && device.createBindGroup({ label: "step", layout: pipeline.step, entries }) };
  }

  /** Encodes dispatches that take turns over the bound weights. */
  encode(pass: GPUComputePassEncoder, cls: KernelClass, run: EncodedRun): void {
    const { compiled, groups, count, repeats } = run;
    pass.setPipeline(compiled.pipeline.pipeline);
    if (groups.step) pass.setBindGroup(1, groups.step);
    const grid = compiled.variant.grid(shapeOf(cls, count));
    for (let repeat = 0; repeat < repeats; repeat++) {
      pass.setBindGroup(0, groups.tensors[repeat % groups.tensors.length]);
      pass.dispatchWorkgroups(...grid);
    }
  }

  destroy(): void {
    for (const buffer of this.#buffers.values()) this.#options.ledger.destroy(buffer);
    this.#buffers.clear();
  }

  #buffer(name: string): GPUBuffer {
    const buffer = this.#buffers.get(name);
    assert(buffer, `reserve made no ${name}`);
    return buffer;
  }

  /** Normal numbers out of the pool, from a place of the seed's own: activations are millions of numbers. */
  #rng(seed: number): Rng {
    const plain = seededRng(seed);
    let at = plain.below(poolLength);
    return { ...plain, normal: () => this.#pool[at++ % poolLength] };
  }
}

export interface BindGroups {
  /** One for each of the calls whose weights take turns. */
  readonly tensors: readonly GPUBindGroup[];
  readonly step: GPUBindGroup | undefined;
}

export interface EncodedRun {
  readonly compiled: Compiled;
  readonly groups: BindGroups;
  readonly count: number;
  readonly repeats: number;
}

function specsOf({ calls }: KernelClass): OperandSpecs {
  return calls[0].visit((kernel, attributes) => kernel.operands(attributes));
}

interface BenchOutput {
  readonly spec: OutputSpec;
  readonly stride: number;
  readonly rowBytes: number;
}

/** The output of a product. */
export function outputOf({ calls, target }: KernelClass): BenchOutput {
  return benchOutput(calls[0].outputSpecs[0], target);
}

/** What it keeps beside it: the best of eight columns. */
export function bestOutputOf({ calls, target }: KernelClass): BenchOutput | undefined {
  const [, spec] = calls[0].outputSpecs;
  return spec && benchOutput(spec, target);
}

function benchOutput(spec: OutputSpec, target: KernelTarget): BenchOutput {
  const stride = operandStride(spec);
  return { spec, stride, rowBytes: stride * (elementType(spec.type, target) === "f16" ? 2 : 4) };
}

function operandSizes(cls: KernelClass, count: number): [string, number][] {
  const { inputs = [], vectors = [] } = specsOf(cls);
  const sizes = inputs.map((spec, index): [string, number] => {
    const bytes = elementType(spec.type, cls.target) === "f16" ? 2 : 4;
    return [`input${index}`, count * operandStride(spec) * bytes];
  });
  sizes.push(...vectors.map((length, index): [string, number] => [`vector${index}`, rowStride(length) * 4]));
  const best = bestOutputOf(cls);
  if (best) sizes.push(["output1", count * best.rowBytes]);
  sizes.push(["output0", count * outputOf(cls).rowBytes], ["state", stateOf(cls, count).byteLength]);
  if (productOf(cls)?.shared) sizes.push(["shape", bindAlignment]);
  return sizes.map(([name, size]) => [name, alignUp(size, bindAlignment)]);
}

/** Rows of a step; products that join ranges of attention are at a position that has all of them. */
export function stepRowsOf(cls: KernelClass, count: number): readonly StepRow[] {
  const merge = productOf(cls)?.merge;
  return Array.from({ length: count }, (_, row) => ({ token: 0, position: merge ? merge.splits * merge.splitTokens - 1 : row, slot: 0 }));
}

function stateOf(cls: KernelClass, count: number): Uint8Array<ArrayBuffer> {
  const rows = stepRowsOf(cls, count);
  const overOutputs = rowsOver(cls.calls[0]) === "outputRows";
  const outputRows = overOutputs ? [...rows.keys()] : [count - 1];
  return packStep(rows, outputRows, Math.max(cls.stepRows, count));
}

function repeatRows(packed: Uint8Array<ArrayBuffer>, rows: number, count: number): Uint8Array<ArrayBuffer> {
  if (count === rows) return packed;
  const all = new Uint8Array((packed.length / rows) * count);
  for (let at = 0; at < all.length; at += packed.length) all.set(packed.subarray(0, Math.min(packed.length, all.length - at)), at);
  return all;
}
