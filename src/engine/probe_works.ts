// Single dispatches of the engine's own kernels on made-up operands, to be timed. Owns their buffers until `destroy`.

import { assert } from "../base/errors.ts";
import { f32ToF16 } from "../base/dtype.ts";
import { bindAlignment, kvPageBytes, rowGroupSize, rowStride, stepBytes, stepHeaderWords, stepRowWords } from "../base/layout.ts";
import { isKvNumber } from "../base/kv_types.ts";
import { alignUp } from "../base/math.ts";
import { seededRng } from "../base/rng.ts";
import { codebookBytes, matrixBytes, packMatrix, type WeightFormat } from "../formats/format.ts";
import { BufferLedger, storageUsage, uniformUsage } from "../gpu/buffers.ts";
import { createPipelineCache, type PipelineCache } from "../gpu/pipelines.ts";
import {
  type Kernel,
  type KernelBinding,
  type KernelTarget,
  operandStride,
  type OperandSpecs,
  type OutputSpec,
  type Variant,
} from "../kernels/kernel.ts";
import { openShaderFiles } from "../kernels/shader_files.ts";
import type { Work } from "./probe_timer.ts";

/** The step that a work stands for. */
export interface WorkStep {
  readonly rows: number;
  /** Each row is the token at this position of a sequence of its own; default: consecutive rows of one sequence from 0. */
  readonly position?: number;
  /** Weights and pages are read from ranges this many bytes wide in all, so that no cache holds them. */
  readonly spreadBytes?: number;
  /** Rows that the pipeline is made for; default `rows`. Works that differ in nothing else share it. */
  readonly maxRows?: number;
}

/** Shapes of what a work binds. */
interface WorkSpecs {
  readonly operands: OperandSpecs;
  readonly outputs: readonly OutputSpec[];
}

/** Where a work's step state lies. */
interface StepState {
  readonly buffer: GPUBuffer;
}

const mebibyte = 1 << 20;
/** Random numbers that fill whatever is longer by repeating: a prime, so that rows differ. */
const poolLength = 65521;
/** From one row's token to the next one's: a prime, so that they lie apart. */
const tokenStep = 7919;

/** Makes works on one device. */
export class WorkMaker {
  readonly #device: GPUDevice;
  readonly #target: KernelTarget;
  readonly #ledger: BufferLedger;
  #pipelines: Promise<PipelineCache> | undefined;
  readonly #pool: Float32Array;
  /** Weights by what they are: variants that are compared read the same. */
  readonly #made = new Map<string, GPUBufferBinding[]>();

  /** @param within  counts its buffers, too */
  constructor(device: GPUDevice, target: KernelTarget, within?: BufferLedger) {
    this.#device = device;
    this.#target = target;
    this.#ledger = new BufferLedger(device, within);
    const rng = seededRng(7);
    this.#pool = Float32Array.from({ length: poolLength }, () => rng.normal());
  }

  /** The first variant of a kernel, which is the one that programs run unless they choose. */
  async make<A>(kernel: Kernel<A>, attributes: A, step: WorkStep): Promise<Work> {
    const [variant] = kernel.variants(attributes, { ...this.#target, maxRows: step.maxRows ?? step.rows });
    assert(variant, `no variant of ${kernel.name} runs on this adapter`);
    return this.makeVariant(kernel, attributes, { variant, step });
  }

  /** One variant of a kernel, made for `step.maxRows` rows. */
  async makeVariant<A>(kernel: Kernel<A>, attributes: A, { variant, step }: { variant: Variant; step: WorkStep }): Promise<Work> {
    const { rows, maxRows = rows } = step;
    const { key, header, bindings, files, usesStep } = variant;
    const request = { label: key, header, bindings, files, ...(usesStep ? { stepRows: maxRows } : {}) };
    this.#pipelines ??= openShaderFiles(this.#target).then((texts) => createPipelineCache(this.#device, texts));
    const pipelines = await this.#pipelines;
    const { pipeline, tensors, step: stepLayout } = await pipelines.get(request);
    const specs = { operands: kernel.operands(attributes), outputs: kernel.outputs(attributes) };
    const state = this.#state(step, specs.operands.tokenCount);
    const groups = this.#ranges(bindings, specs, { step, state }).map((ranges) =>
      this.#device.createBindGroup({ label: key, layout: tensors, entries: ranges.map((resource, binding) => ({ binding, resource })) }),
    );
    const stepGroup =
      stepLayout && this.#device.createBindGroup({ label: "step", layout: stepLayout, entries: [{ binding: 0, resource: state }] });
    const [x, y, z] = variant.grid({ rows, outputRows: rows, contextTokens: (step.position ?? rows - 1) + 1 });
    return (pass, repetition) => {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, groups[repetition % groups.length]);
      if (stepGroup) pass.setBindGroup(1, stepGroup);
      pass.dispatchWorkgroups(x, y, z);
    };
  }

  destroy(): void {
    this.#ledger.destroyAll();
  }

  /** The bindings of each of the works that take turns: as many as there are places for the weights. */
  #ranges(
    bindings: readonly KernelBinding[],
    specs: WorkSpecs,
    { step, state }: { step: WorkStep; state: StepState },
  ): GPUBufferBinding[][] {
    const places = bindings.map(({ from }): GPUBufferBinding[] => {
      const index = Number(/\d+$/.exec(from)?.[0] ?? 0);
      if (from === "state") return [state];
      if (from === "kv") return this.#pages(specs.operands, step);
      if (!from.startsWith("weight")) return [{ buffer: this.#operand(from, index, { ...specs, step }) }];
      const weight = specs.operands.weights?.[index];
      assert(weight, `${from} has no shape`);
      return this.#weights(weight, step.spreadBytes ?? 0);
    });
    const count = Math.max(...places.map((ranges) => ranges.length));
    return Array.from({ length: count }, (_, turn) => places.map((ranges) => ranges[turn % ranges.length]));
  }

  #operand(from: KernelBinding["from"], index: number, { operands, outputs, step }: WorkSpecs & { step: WorkStep }): GPUBuffer {
    const { rows } = step;
    if (from === "pages") {
      const length = (operands.kv?.maxPages ?? 0) * sequences(step);
      return this.#buffer(from, new Uint8Array(Uint32Array.from({ length }, (_, page) => page).buffer));
    }
    if (from.startsWith("output")) {
      const spec = outputs[index];
      return this.#ledger.create("activations", { label: from, size: this.#typed(spec.type).bytes * rows * operandStride(spec) });
    }
    const length = from.startsWith("vector") ? operands.vectors?.[index] : operands.tables?.[index];
    if (length !== undefined && !from.startsWith("input")) return this.#randomBuffer(from, "f32", rowStride(length));
    const spec = operands.inputs?.[index];
    assert(from.startsWith("input") && spec, `${from} has no shape`);
    return this.#randomBuffer(from, this.#typed(spec.type).type, rows * operandStride(spec));
  }

  /** Keys and values of the step's sequences, in as many places as `spreadBytes` has room for. */
  #pages({ kv }: OperandSpecs, step: WorkStep): GPUBufferBinding[] {
    assert(kv, "pages have a layout");
    const size = kv.maxPages * sequences(step) * kvPageBytes(kv);
    const copies = this.#copies(size, step.spreadBytes ?? 0);
    const stride = alignUp(size, bindAlignment);
    const buffer = this.#randomBuffer("kv", isKvNumber(kv.type) ? kv.type : "u32", (copies * stride) / (kv.type === "f16" ? 2 : 4));
    return Array.from({ length: copies }, (_, copy) => ({ buffer, offset: copy * stride, size }));
  }

  #copies(bytes: number, spreadBytes: number): number {
    const { maxBindingBytes, maxBufferBytes } = this.#target.caps;
    return Math.max(1, Math.floor(Math.min(spreadBytes, maxBindingBytes, maxBufferBytes) / alignUp(bytes, bindAlignment)));
  }

  #typed(type: OutputSpec["type"]): { type: "f32" | "f16" | "u32"; bytes: number } {
    if (type === "u32") return { type, bytes: 4 };
    return type === "act" && this.#target.precision === "f16" ? { type: "f16", bytes: 2 } : { type: "f32", bytes: 4 };
  }

  #randomBuffer(label: string, type: "f32" | "f16" | "u32", count: number): GPUBuffer {
    const most = mebibyte / 4;
    const pattern = this.#buffer(label, this.#random(type, Math.min(count, most)));
    return count <= most ? pattern : this.#repeat(pattern, label, alignUp(count * (type === "f16" ? 2 : 4), 16));
  }

  #random(type: "f32" | "f16" | "u32", count: number): Uint8Array<ArrayBuffer> {
    const at = (index: number): number => this.#pool[index % poolLength];
    if (type === "f16") return new Uint8Array(Uint16Array.from({ length: count }, (_, index) => f32ToF16(at(index))).buffer);
    if (type === "f32") return new Uint8Array(Float32Array.from({ length: count }, (_, index) => at(index)).buffer);
    return new Uint8Array(Uint32Array.from({ length: count }, (_, index) => Math.abs(at(index)) * 1e9).buffer);
  }

  #buffer(label: string, bytes: Uint8Array<ArrayBuffer>): GPUBuffer {
    const buffer = this.#ledger.create("other", { label, size: alignUp(bytes.byteLength, 16) });
    this.#device.queue.writeBuffer(buffer, 0, bytes);
    return buffer;
  }

  /** A buffer of `bytes` that holds `pattern` over and over. */
  #repeat(pattern: GPUBuffer, label: string, bytes: number): GPUBuffer {
    const buffer = this.#ledger.create("other", { label, size: bytes });
    const encoder = this.#device.createCommandEncoder();
    fill(encoder, { pattern, buffer, start: 0, end: bytes });
    this.#device.queue.submit([encoder.finish()]);
    return buffer;
  }

  /** A matrix in the format's own bytes, in as many places as `spreadBytes` has room for. */
  #weights({ format, rows, cols }: { format: WeightFormat; rows: number; cols: number }, spreadBytes: number): GPUBufferBinding[] {
    const key = [format.name, rows, cols, spreadBytes].join("/");
    const known = this.#made.get(key);
    if (known) return known;
    const size = matrixBytes(format, rows, cols);
    const stride = alignUp(size, bindAlignment);
    const copies = this.#copies(size, spreadBytes);
    const { codebook, groups } = this.#rowGroups(format, cols);
    const buffer = this.#ledger.create("other", { label: format.name, size: copies * stride });
    const encoder = this.#device.createCommandEncoder();
    for (let copy = 0; copy < copies; copy++) {
      const start = copy * stride;
      if (codebook) encoder.copyBufferToBuffer(codebook, 0, buffer, start, codebook.size);
      fill(encoder, { pattern: groups, buffer, start: start + (codebook?.size ?? 0), end: start + stride });
    }
    this.#device.queue.submit([encoder.finish()]);
    const places = Array.from({ length: copies }, (_, copy) => ({ buffer, offset: copy * stride, size }));
    this.#made.set(key, places);
    return places;
  }

  /** The codebook, and about a MiB of row groups, all alike: what a weight is does not change how long it takes. */
  #rowGroups(format: WeightFormat, cols: number): { codebook: GPUBuffer | undefined; groups: GPUBuffer } {
    const file = format.sample(seededRng(cols), (rowGroupSize * cols) / format.blockSize);
    const packed = packMatrix(format, file, { rows: rowGroupSize, cols });
    const start = codebookBytes(format);
    const group = packed.subarray(start);
    const count = Math.max(1, Math.floor(mebibyte / group.byteLength));
    const bytes = new Uint8Array(count * group.byteLength);
    for (let index = 0; index < count; index++) bytes.set(group, index * group.byteLength);
    const codebook = start > 0 ? this.#buffer("codebook", packed.slice(0, start)) : undefined;
    return { codebook, groups: this.#buffer("row groups", bytes) };
  }

  #state(step: WorkStep, tokenCount: number = 1): StepState {
    const { rows, position, maxRows = rows } = step;
    const words = new Uint32Array(stepBytes(maxRows) / 4);
    words.set([rows, rows, 0, 0]);
    for (let row = 0; row < rows; row++) {
      const own = position === undefined ? [row, 0] : [position, row];
      words.set([(row * tokenStep) % tokenCount, ...own, row], stepHeaderWords + row * stepRowWords);
    }
    const buffer = this.#ledger.create("other", { label: "step", size: words.byteLength, usage: storageUsage | uniformUsage });
    this.#device.queue.writeBuffer(buffer, 0, words);
    return { buffer };
  }
}

function sequences({ rows, position }: WorkStep): number {
  return position === undefined ? 1 : rows;
}

/** Fills [start, end) of a buffer with a pattern. */
function fill(
  encoder: GPUCommandEncoder,
  { pattern, buffer, start, end }: { pattern: GPUBuffer; buffer: GPUBuffer; start: number; end: number },
): void {
  for (let at = start; at < end; at += pattern.size) {
    encoder.copyBufferToBuffer(pattern, 0, buffer, at, Math.min(pattern.size, end - at));
  }
}
