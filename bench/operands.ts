// Everything that one step of a kernel reads and writes, on the GPU. Weights are made for a few rows and repeated, so that a matrix of
// any size costs no more time than a small one; adapters with caches get as many copies as outgrow them.

import { f32ToF16 } from "../src/base/dtype.ts";
import { bindAlignment, rowStride } from "../src/base/layout.ts";
import { alignUp, ceilDiv, clamp } from "../src/base/math.ts";
import { seededRng } from "../src/base/rng.ts";
import { codebookBytes, matrixBytes, type WeightFormat } from "../src/formats/format.ts";
import type { Caps } from "../src/gpu/caps.ts";
import { type CpuTensor, type Kernel, type KernelTarget, operandStride, type OutputSpec } from "../src/kernels/kernel.ts";
import { referenceOf } from "../src/kernels/references/index.ts";
import { elementType, makeOperands, type Operands } from "../src/tuning/operands.ts";

/** A step of a kernel, as a program of `target` would run it. */
export interface KernelStep<A> {
  readonly kernel: Kernel<A>;
  readonly attributes: A;
  readonly target: KernelTarget;
  readonly rows: number;
  /** Rows that the head runs over; default 1. */
  readonly outputRows?: number;
  /** Tokens before the step. */
  readonly pastTokens?: number;
}

/** What a binding gets in each of the repetitions that outgrow the caches. */
export type Bound = readonly GPUBufferBinding[];

/** What a kernel writes, and what should be there. */
export interface Output {
  readonly spec: OutputSpec;
  readonly rows: number;
  readonly buffer: GPUBuffer;
  /** Elements from row to row. */
  readonly stride: number;
  readonly type: "f32" | "f16" | "u32";
}

/** Bytes that no cache of a GPU holds; CPU drivers are too slow to be limited by theirs. */
export const rotatedBytes: number = 256 << 20;

export const storage: number = 0x80 | 0x04 | 0x08; // STORAGE | COPY_SRC | COPY_DST; the global constants are missing in Node

/** Rows of weights that are made; the reference computes as many columns. No power of two, so that rows out of place show. */
const madeRows = 24;

/** Operands of one step. Owns its buffers until `destroy`. */
export class StepOperands<A> {
  readonly step: KernelStep<A>;
  /** Of the same kernel over the weight rows that are made. */
  readonly narrow: A;
  readonly made: Operands;
  /** By operand name. */
  readonly bound: ReadonlyMap<string, Bound>;
  readonly outputs: readonly Output[];
  /** The step state as a uniform, with room for `room` rows. */
  readonly state: GPUBuffer;
  readonly room: number;
  #expected: readonly CpuTensor[] | undefined;
  readonly #device: GPUDevice;
  readonly #buffers: GPUBuffer[] = [];

  constructor(device: GPUDevice, step: KernelStep<A>) {
    const { kernel, attributes, target, rows, outputRows = 1, pastTokens = 0 } = step;
    this.#device = device;
    this.step = step;
    const specs = kernel.operands(attributes);
    const made = Math.min(specs.weights?.[0]?.rows ?? 0, madeRows);
    this.narrow = made > 0 ? narrowed(kernel, attributes, made) : attributes;
    const kernelCase = { name: kernel.name, attributes: this.narrow, rows, outputRows, pastTokens };
    this.room = Math.max(rows, outputRows, target.maxRows);
    const limits = { rng: seededRng(rows + pastTokens), tokenCount: made > 0 ? made : undefined, kvTokens: pastTokens + rows };
    this.made = makeOperands(kernel, kernelCase, { ...target, maxRows: this.room }, limits);
    const bound = new Map<string, Bound>();
    for (const [name, bytes] of this.made.bytes) bound.set(name, [{ buffer: this.#buffer(bytes.byteLength, bytes) }]);
    for (const [index, { format, rows: n, cols }] of (specs.weights ?? []).entries()) {
      const bytes = this.made.bytes.get(`weight${index}`);
      if (bytes) bound.set(`weight${index}`, this.#matrix(bytes, { format, rows: n, cols }));
    }
    for (const [index, length] of (specs.vectors ?? []).entries()) {
      const bytes = this.made.bytes.get(`vector${index}`);
      const size = rowStride(length) * 4;
      if (bytes && bytes.byteLength < size) bound.set(`vector${index}`, [{ buffer: this.#repeated(bytes, 0, size) }]);
    }
    this.outputs = kernel.outputs(attributes).map((spec, index) => {
      const type = elementType(spec.type, target);
      const count = spec.rows === "rows" ? rows : outputRows;
      const stride = operandStride(spec);
      const buffer = this.#buffer(count * stride * (type === "f16" ? 2 : 4));
      bound.set(`output${index}`, [{ buffer }]);
      return { spec, rows: count, buffer, stride, type };
    });
    this.bound = bound;
    this.state = device.createBuffer({ size: this.made.step.byteLength, usage: 0x40 | 0x08 }); // UNIFORM | COPY_DST
    device.queue.writeBuffer(this.state, 0, this.made.step);
    this.#buffers.push(this.state);
  }

  /** What the first columns of the outputs should be. */
  expected(): readonly CpuTensor[] {
    this.#expected ??= referenceOf(this.step.kernel)(this.narrow, this.made.args);
    return this.#expected;
  }

  /** The column of the reference that a column of an output repeats; undefined: none. */
  columnOf(col: number): number | undefined {
    const { kernel, attributes } = this.step;
    const made = kernel.operands(this.narrow).weights?.[0];
    const [whole] = kernel.operands(attributes).weights ?? [];
    const cols = kernel.outputs(this.narrow)[0]?.cols ?? 0;
    if (made === undefined || whole === undefined || cols === kernel.outputs(attributes)[0]?.cols) return col;
    // A product that is split has its columns once for each part of K.
    const index = Math.floor(col / whole.rows) * made.rows + ((col % whole.rows) % made.rows);
    return index < cols ? index : undefined;
  }

  /** Makes everything as it was before the first step; outputs hold NaN, so that what nobody wrote shows. */
  reset(): void {
    for (const name of ["state", "kv", "sampling", "adjust"]) {
      const bytes = this.made.bytes.get(name);
      const buffer = this.bound.get(name)?.[0].buffer;
      if (bytes && buffer) this.#device.queue.writeBuffer(buffer, 0, bytes);
    }
    for (const { buffer, type } of this.outputs) this.#device.queue.writeBuffer(buffer, 0, nanBytes(buffer.size, type));
  }

  destroy(): void {
    for (const buffer of this.#buffers) buffer.destroy();
  }

  #buffer(size: number, bytes?: Uint8Array<ArrayBuffer>): GPUBuffer {
    const buffer = this.#device.createBuffer({ size: Math.max(16, alignUp(size, 4)), usage: storage });
    this.#buffers.push(buffer);
    if (bytes) this.#device.queue.writeBuffer(buffer, 0, alignedBytes(bytes));
    return buffer;
  }

  /** A buffer that holds `bytes`, then those from `from` on over and over. */
  #repeated(bytes: Uint8Array<ArrayBuffer>, from: number, size: number): GPUBuffer {
    const buffer = this.#buffer(size);
    this.#device.queue.writeBuffer(buffer, 0, bytes, 0, Math.min(bytes.byteLength, size));
    if (size <= bytes.byteLength) return buffer;
    const pattern = this.#buffer(bytes.byteLength - from, bytes.slice(from));
    const encoder = this.#device.createCommandEncoder();
    for (let at = bytes.byteLength; at < size; at += pattern.size) {
      encoder.copyBufferToBuffer(pattern, 0, buffer, at, Math.min(pattern.size, size - at));
    }
    this.#device.queue.submit([encoder.finish()]);
    return buffer;
  }

  #matrix(made: Uint8Array<ArrayBuffer>, { format, rows, cols }: { format: WeightFormat; rows: number; cols: number }): Bound {
    const { caps } = this.step.target;
    const size = matrixBytes(format, rows, cols);
    const matrix = this.#repeated(made, codebookBytes(format), size);
    const slot = alignUp(size, bindAlignment);
    const copies = cacheCopies(caps, slot);
    if (copies < 2) return [{ buffer: matrix }];
    const pool = this.#buffer((copies - 1) * slot);
    const encoder = this.#device.createCommandEncoder();
    for (let copy = 0; copy < copies - 1; copy++) encoder.copyBufferToBuffer(matrix, 0, pool, copy * slot, size);
    this.#device.queue.submit([encoder.finish()]);
    const others = Array.from({ length: copies - 1 }, (_, copy) => ({ buffer: pool, offset: copy * slot, size }));
    return [{ buffer: matrix }, ...others];
  }
}

/** A kernel's attributes over its first rows of weights. */
function narrowed<A>(kernel: Kernel<A>, attributes: A, rows: number): A {
  return kernel.narrow ? kernel.narrow(attributes, rows).attributes : attributes;
}

/** Copies of a matrix of that many bytes that take turns. */
export function cacheCopies(caps: Pick<Caps, "software" | "maxBufferBytes">, bytes: number): number {
  if (caps.software) return 1;
  const most = Math.floor(caps.maxBufferBytes / bytes) + 1;
  return clamp(ceilDiv(rotatedBytes, bytes), 1, Math.min(most, 4096));
}

/** Every element NaN; of words all bits set. */
function nanBytes(size: number, type: Output["type"]): Uint8Array<ArrayBuffer> {
  if (type === "f16") return new Uint8Array(new Uint16Array(size / 2).fill(f32ToF16(Number.NaN)).buffer);
  if (type === "f32") return new Uint8Array(new Float32Array(size / 4).fill(Number.NaN).buffer);
  return new Uint8Array(size).fill(255);
}

function alignedBytes(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.byteLength % 4 === 0) return bytes;
  const padded = new Uint8Array(alignUp(bytes.byteLength, 4));
  padded.set(bytes);
  return padded;
}
