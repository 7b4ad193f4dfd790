// Single dispatches of the engine's own kernels on made-up operands, to be timed. Owns their buffers until `destroy`.

import { assert } from "../base/errors.ts";
import { f32ToF16 } from "../base/dtype.ts";
import { bindAlignment, kvPageBytes, rowGroupSize, stepBytes, stepHeaderWords, stepRowWords } from "../base/layout.ts";
import { alignUp } from "../base/math.ts";
import { seededRng } from "../base/rng.ts";
import { matrixBytes, packMatrix, type WeightFormat } from "../formats/format.ts";
import { BufferLedger, storageUsage, uniformUsage } from "../gpu/buffers.ts";
import { createPipelineCache, type PipelineCache } from "../gpu/pipelines.ts";
import {
  type Kernel,
  type KernelBinding,
  type KernelTarget,
  operandStride,
  type OperandSpecs,
  type OutputSpec,
} from "../kernels/kernel.ts";
import { shaderFiles } from "../kernels/shader_files.ts";
import type { Work } from "./probe_timer.ts";

/** The step that a work stands for. */
export interface WorkStep {
  readonly rows: number;
  /** Rows of one sequence up to this position, or each the token at it (default: consecutive from 0). */
  readonly position?: number;
  /** Weights are read from ranges this many bytes wide in all, so that no cache holds them. */
  readonly spreadBytes?: number;
  /** Rows that the pipeline is made for; default `rows`. Works that differ in nothing else share it. */
  readonly maxRows?: number;
}

const mebibyte = 1 << 20;
/** Random numbers that fill whatever is longer by repeating: a prime, so that rows differ. */
const poolLength = 65521;

/** Makes works on one device. */
export class WorkMaker {
  readonly #device: GPUDevice;
  readonly #target: KernelTarget;
  readonly #ledger: BufferLedger;
  readonly #pipelines: PipelineCache;
  readonly #pool: Float32Array;

  constructor(device: GPUDevice, target: KernelTarget) {
    this.#device = device;
    this.#target = target;
    this.#ledger = new BufferLedger(device);
    this.#pipelines = createPipelineCache(device, shaderFiles);
    const rng = seededRng(7);
    this.#pool = Float32Array.from({ length: poolLength }, () => rng.normal());
  }

  /** The first variant of a kernel, which is the one that programs run. */
  async make<A>(kernel: Kernel<A>, attributes: A, step: WorkStep): Promise<Work> {
    const { rows, maxRows = rows } = step;
    const [variant] = kernel.variants(attributes, { ...this.#target, maxRows });
    assert(variant, `no variant of ${kernel.name} runs on this adapter`);
    const { key, header, bindings, files, usesStep } = variant;
    const request = { label: key, header, bindings, files, ...(usesStep ? { stepRows: maxRows } : {}) };
    const { pipeline, tensors, step: stepLayout } = await this.#pipelines.get(request);
    const specs = { operands: kernel.operands(attributes), outputs: kernel.outputs(attributes) };
    const groups = this.#ranges(bindings, specs, step).map((ranges) =>
      this.#device.createBindGroup({ label: key, layout: tensors, entries: ranges.map((resource, binding) => ({ binding, resource })) }),
    );
    const state = stepLayout && this.#stepGroup(stepLayout, step);
    const [x, y, z] = variant.grid({ rows, outputRows: rows, contextTokens: (step.position ?? rows - 1) + 1 });
    return (pass, repetition) => {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, groups[repetition % groups.length]);
      if (state) pass.setBindGroup(1, state);
      pass.dispatchWorkgroups(x, y, z);
    };
  }

  destroy(): void {
    this.#ledger.destroyAll();
  }

  /** The bindings of each of the works that take turns: as many as there are places for the weights. */
  #ranges(
    bindings: readonly KernelBinding[],
    { operands, outputs }: { operands: OperandSpecs; outputs: readonly OutputSpec[] },
    step: WorkStep,
  ): GPUBufferBinding[][] {
    const fixed = bindings.map(({ from }): GPUBufferBinding[] => {
      const index = Number(/\d+$/.exec(from)?.[0] ?? 0);
      if (from.startsWith("weight")) {
        const weight = operands.weights?.[index];
        assert(weight, `${from} has no shape`);
        return this.#weights(weight, step.spreadBytes ?? 0);
      }
      return [{ buffer: this.#operand(from, index, { operands, outputs, rows: step.rows }) }];
    });
    const count = Math.max(...fixed.map((ranges) => ranges.length));
    return Array.from({ length: count }, (_, turn) => fixed.map((ranges) => ranges[turn % ranges.length]));
  }

  #operand(
    from: KernelBinding["from"],
    index: number,
    { operands, outputs, rows }: { operands: OperandSpecs; outputs: readonly OutputSpec[]; rows: number },
  ): GPUBuffer {
    const { kv } = operands;
    if (from === "kv" || from === "pages") {
      assert(kv, "pages have a layout");
      if (from === "pages") return this.#buffer(from, new Uint8Array(Uint32Array.from({ length: kv.maxPages }, (_, page) => page).buffer));
      return this.#randomBuffer(from, kv.type, (kv.maxPages * kvPageBytes(kv)) / (kv.type === "f16" ? 2 : 4));
    }
    if (from.startsWith("output")) {
      const spec = outputs[index];
      return this.#ledger.create("activations", { label: from, size: this.#typed(spec.type).bytes * rows * operandStride(spec) });
    }
    const spec = operands.inputs?.[index];
    assert(from.startsWith("input") && spec, `the probe makes no ${from}`);
    return this.#randomBuffer(from, this.#typed(spec.type).type, rows * operandStride(spec));
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

  /** A buffer of `bytes` that holds `pattern` over and over, from each multiple of `stride` on (default: once from 0). */
  #repeat(pattern: GPUBuffer, label: string, bytes: number, stride: number = bytes): GPUBuffer {
    const buffer = this.#ledger.create("other", { label, size: bytes });
    const encoder = this.#device.createCommandEncoder();
    for (let start = 0; start < bytes; start += stride) {
      const end = Math.min(bytes, start + stride);
      for (let at = start; at < end; at += pattern.size)
        encoder.copyBufferToBuffer(pattern, 0, buffer, at, Math.min(pattern.size, end - at));
    }
    this.#device.queue.submit([encoder.finish()]);
    return buffer;
  }

  /** A matrix in the format's own bytes, in as many places as `spreadBytes` has room for. */
  #weights({ format, rows, cols }: { format: WeightFormat; rows: number; cols: number }, spreadBytes: number): GPUBufferBinding[] {
    const bytes = matrixBytes(format, rows, cols);
    const stride = alignUp(bytes, bindAlignment);
    const { maxBindingBytes, maxBufferBytes } = this.#target.caps;
    const copies = Math.max(1, Math.floor(Math.min(spreadBytes, maxBindingBytes, maxBufferBytes) / stride));
    const buffer = this.#repeat(this.#rowGroups(format, cols), format.name, copies * stride, stride);
    return Array.from({ length: copies }, (_, copy) => ({ buffer, offset: copy * stride, size: bytes }));
  }

  /** About a MiB of row groups, all alike: what a weight is does not change how long it takes. */
  #rowGroups(format: WeightFormat, cols: number): GPUBuffer {
    const file = format.sample(seededRng(cols), (rowGroupSize * cols) / format.blockSize);
    const group = packMatrix(format, file, { rows: rowGroupSize, cols });
    const count = Math.max(1, Math.floor(mebibyte / group.byteLength));
    const bytes = new Uint8Array(count * group.byteLength);
    for (let index = 0; index < count; index++) bytes.set(group, index * group.byteLength);
    return this.#buffer("row groups", bytes);
  }

  #stepGroup(layout: GPUBindGroupLayout, { rows, position, maxRows = rows }: WorkStep): GPUBindGroup {
    const words = new Uint32Array(stepBytes(maxRows) / 4);
    words.set([rows, rows, 0, 0]);
    for (let row = 0; row < rows; row++) words.set([0, position ?? row, 0, row], stepHeaderWords + row * stepRowWords);
    const buffer = this.#ledger.create("other", { label: "step", size: words.byteLength, usage: storageUsage | uniformUsage });
    this.#device.queue.writeBuffer(buffer, 0, words);
    return this.#device.createBindGroup({ label: "step", layout, entries: [{ binding: 0, resource: { buffer } }] });
  }
}
