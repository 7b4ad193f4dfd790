// Products of one activation matrix and one Q4_0 matrix, ready to be timed and compared: variants of our `linear`, the same over the
// file's own layout, and the reference kernels. Owns their buffers until `destroy`.

import { assert } from "../src/base/errors.ts";
import { ceilDiv } from "../src/base/math.ts";
import { stepBytes } from "../src/base/layout.ts";
import { seededRng } from "../src/base/rng.ts";
import { fileBytes, packMatrix, type WeightFormat } from "../src/formats/format.ts";
import { q4_0 } from "../src/formats/q4_0.ts";
import type { Caps } from "../src/gpu/caps.ts";
import { createPipelineCache, type Pipeline } from "../src/gpu/pipelines.ts";
import { type CpuTensor, type KernelTarget, operandStride, type Precision, type Variant } from "../src/kernels/kernel.ts";
import { linear, type LinearAttributes } from "../src/kernels/linear.ts";
import { quantize } from "../src/kernels/quantize.ts";
import { referenceOf } from "../src/kernels/references/index.ts";
import { shaderFiles } from "../src/testing/shader_files.ts";
import type { Work } from "./measure.ts";
import filePart from "./reference/q4_0_file.wgsl?raw";
import wordsPart from "./reference/q4_0_words.wgsl?raw";

/** A work and the buffer [rows, n] that it leaves its result in. */
export interface Product {
  readonly name: string;
  readonly work: Work;
  readonly y: GPUBuffer;
}

/** A product's shapes; all multiples of 64. */
export interface ProductShape {
  readonly rows: number;
  readonly n: number;
  readonly k: number;
}

/** Bytes that no cache of a GPU holds; CPU drivers are too slow to be limited by theirs. */
const rotatedBytes = 256 << 20;

const storage = 0x80 | 0x04 | 0x08; // STORAGE | COPY_SRC | COPY_DST; the global constants are missing in Node

/** Q4_0 without repacking: a format whose GPU layout is the file's. */
const fileLayout: WeightFormat = {
  ...q4_0,
  name: "q4_0_file",
  part: filePart,
  rowGroupBytes: (cols) => fileBytes(q4_0, 8 * cols),
  constants: (cols) => ({ Q4_0_FILE_BLOCKS: cols / q4_0.blockSize }),
  repack: (source, _, out) => out.set(source),
};

/** The same, read word by word. */
const wordsLayout: WeightFormat = { ...fileLayout, name: "q4_0_words", part: wordsPart };

/** Whether weights lie as the GPU wants them, or as they are in the file, read as a whole or word by word. */
export type Layout = "repacked" | "file" | "words";

const layouts: Readonly<Record<Layout, WeightFormat>> = { repacked: q4_0, file: fileLayout, words: wordsLayout };

/** Operands of a reference kernel, in the order that its bindings name them. */
export interface ReferenceKernel {
  readonly name: string;
  readonly code: string;
  readonly consts: Readonly<Record<string, number>>;
  readonly grid: readonly [number, number, number];
}

export class Products {
  readonly shape: ProductShape;
  /** What every product should be, computed in float64. */
  readonly expected: Float32Array;
  readonly #device: GPUDevice;
  readonly #caps: Caps;
  readonly #file: Uint8Array<ArrayBuffer>;
  readonly #x: CpuTensor;
  readonly #step: GPUBuffer;
  readonly #buffers: GPUBuffer[] = [];
  readonly #weights = new Map<string, GPUBuffer[]>();

  constructor(device: GPUDevice, caps: Caps, shape: ProductShape) {
    const { rows, n, k } = shape;
    this.shape = shape;
    this.#device = device;
    this.#caps = caps;
    const rng = seededRng(3);
    this.#file = q4_0.sample(rng, (n * k) / q4_0.blockSize);
    this.#x = { rows, cols: k, data: Float32Array.from({ length: rows * k }, () => rng.normal()) };
    this.#step = device.createBuffer({ size: stepBytes(rows), usage: 0x40 | 0x08 }); // UNIFORM | COPY_DST
    device.queue.writeBuffer(this.#step, 0, Uint32Array.of(rows, rows, 0, 0));
    this.#buffers.push(this.#step);
    const data = new Float32Array(n * k);
    q4_0.dequantize(this.#file, data);
    const args = { inputs: [this.#x], weights: [{ rows: n, cols: k, data }], vectors: [], tables: [], rows: [], outputRows: [] };
    this.expected = referenceOf(linear)(this.#attributes(q4_0, "f32"), args)[0].data;
  }

  destroy(): void {
    for (const buffer of this.#buffers) buffer.destroy();
  }

  /** File bytes of the weights. */
  get weightBytes(): number {
    return this.#file.byteLength;
  }

  /** Every variant that a program of this precision could choose from, over weights in that layout. */
  variants(precision: Precision, layout: Layout = "repacked"): readonly Variant[] {
    return linear.variants(this.#attributes(layouts[layout], precision), this.#target(precision));
  }

  async make(variant: Variant, layout: Layout = "repacked"): Promise<Product> {
    const { rows, n } = this.shape;
    const { key, header, files, usesStep, precision } = variant;
    const bindings = variant.bindings.map((binding) =>
      layout !== "repacked" && binding.from === "weight0" ? { ...binding, type: "array<u32>" } : binding,
    );
    const request = { label: key, header, bindings, files, ...(usesStep ? { stepRows: rows } : {}) };
    const pipeline = await createPipelineCache(this.#device, shaderFiles).get(request);
    const y = this.#buffer(new Uint8Array(rows * n * 4));
    const inputs = this.#inputs(precision);
    const groups = this.#matrix(layout).map((weights) =>
      bindings.map(({ from }) => {
        const bound: Partial<Record<string, GPUBuffer>> = { ...inputs, weight0: weights, output0: y };
        const buffer = bound[from];
        assert(buffer, `${key} reads ${from}, which the bench does not make`);
        return buffer;
      }),
    );
    const grid = variant.grid({ rows, outputRows: rows, contextTokens: rows });
    return { name: key, work: this.#work(pipeline, { groups, grid }), y };
  }

  async makeReference({ name, code, consts, grid }: ReferenceKernel): Promise<Product> {
    const { rows, n } = this.shape;
    const file = `${name}.wgsl`;
    const pipeline = await createPipelineCache(this.#device, new Map([[file, code]])).get({
      label: name,
      header: { consts },
      bindings: [
        { name: "x", type: "array<f32>", access: "read" },
        { name: "q", type: "array<u32>", access: "read" },
        { name: "d", type: "array<u32>", access: "read" },
        { name: "y", type: "array<f32>", access: "read_write" },
      ],
      files: [file],
    });
    const y = this.#buffer(new Uint8Array(rows * n * 4));
    const { codes, scales } = splitQ4(this.#file);
    const scaleBuffer = this.#buffer(scales);
    const { input0 } = this.#inputs("f32");
    const groups = this.#rotate("split", codes).map((weights) => [input0, weights, scaleBuffer, y]);
    return { name, work: this.#work(pipeline, { groups, grid }), y };
  }

  /** Normalised mean squared error of what a product left behind. */
  async nmse({ y }: Product): Promise<number> {
    const found = await readFloats(this.#device, y);
    let [error, norm] = [0, 0];
    for (const [index, value] of this.expected.entries()) {
      error += (found[index] - value) ** 2;
      norm += value ** 2;
    }
    return norm > 0 ? error / norm : Number.POSITIVE_INFINITY;
  }

  #attributes(format: WeightFormat, precision: Precision): LinearAttributes {
    const { n, k } = this.shape;
    const activations = precision === "int8" ? "int8" : "float";
    return { format, k, n, bias: false, outStart: 0, outCols: n, over: "rows", out: "f32", activations };
  }

  #target(precision: Precision): KernelTarget {
    return { caps: this.#caps, deviceClass: this.#caps.deviceClass, precision, maxRows: this.shape.rows };
  }

  /** The activations by operand name: floats, or bytes and scales as `quantize` makes them. */
  #inputs(precision: Precision): Record<string, GPUBuffer> {
    const attributes = { cols: this.shape.k, over: "rows" } as const;
    if (precision !== "int8") return { input0: this.#buffer(new Uint8Array(this.#x.data.slice().buffer)) };
    const args = { inputs: [this.#x], weights: [], vectors: [], tables: [], rows: [], outputRows: [] };
    const tensors = referenceOf(quantize)(attributes, args);
    const specs = quantize.outputs(attributes);
    return Object.fromEntries(
      tensors.map((tensor, index) => [`input${index}`, this.#buffer(padRows(tensor, operandStride(specs[index])))]),
    );
  }

  #matrix(layout: Layout): GPUBuffer[] {
    const { n, k } = this.shape;
    if (layout !== "repacked") return this.#rotate("file", this.#file);
    return this.#rotate(layout, packMatrix(q4_0, this.#file, { rows: n, cols: k }));
  }

  #buffer(data: Uint8Array<ArrayBuffer>): GPUBuffer {
    const buffer = this.#device.createBuffer({ size: data.byteLength, usage: storage });
    this.#device.queue.writeBuffer(buffer, 0, data);
    this.#buffers.push(buffer);
    return buffer;
  }

  /** As many equal buffers as it takes to outgrow the caches, the same for all products that read them. */
  #rotate(name: string, data: Uint8Array<ArrayBuffer>): GPUBuffer[] {
    const known = this.#weights.get(name);
    if (known) return known;
    const count = this.#caps.software ? 1 : ceilDiv(rotatedBytes, data.byteLength);
    const made = Array.from({ length: count }, () => this.#buffer(data));
    this.#weights.set(name, made);
    return made;
  }

  #work(pipeline: Pipeline, { groups, grid }: { groups: readonly GPUBuffer[][]; grid: readonly [number, number, number] }): Work {
    const bind = (layout: GPUBindGroupLayout, buffers: readonly GPUBuffer[]): GPUBindGroup =>
      this.#device.createBindGroup({ layout, entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })) });
    const tensors = groups.map((buffers) => bind(pipeline.tensors, buffers));
    const state = pipeline.step && bind(pipeline.step, [this.#step]);
    return (pass, repetition) => {
      pass.setPipeline(pipeline.pipeline);
      pass.setBindGroup(0, tensors[repetition % tensors.length]);
      if (state) pass.setBindGroup(1, state);
      pass.dispatchWorkgroups(...grid);
    };
  }
}

/** Rows `stride` elements apart; what lies between is zero. */
function padRows({ rows, cols, data }: CpuTensor, stride: number): Uint8Array<ArrayBuffer> {
  const from = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const words = new Uint32Array(rows * stride);
  for (let row = 0; row < rows; row++) words.set(from.subarray(row * cols, (row + 1) * cols), row * stride);
  return new Uint8Array(words.buffer);
}

/** Codes in the order of k and scales apart, from the file's blocks of a scale and 16 bytes of nibbles j and j + 16. */
function splitQ4(file: Uint8Array): { codes: Uint8Array<ArrayBuffer>; scales: Uint8Array<ArrayBuffer> } {
  const blocks = file.byteLength / 18;
  const codes = new Uint8Array(blocks * 16);
  const scales = new Uint8Array(blocks * 2);
  for (let block = 0; block < blocks; block++) {
    const at = block * 18;
    scales.set(file.subarray(at, at + 2), block * 2);
    for (let pair = 0; pair < 8; pair++) {
      const [first, second] = [file[at + 2 + pair * 2], file[at + 3 + pair * 2]];
      codes[block * 16 + pair] = (first & 15) | ((second & 15) << 4);
      codes[block * 16 + 8 + pair] = (first >> 4) | (second & 0xf0);
    }
  }
  return { codes, scales };
}

async function readFloats(device: GPUDevice, buffer: GPUBuffer): Promise<Float32Array> {
  const copy = device.createBuffer({ size: buffer.size, usage: 0x01 | 0x08 }); // MAP_READ | COPY_DST
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(1); // GPUMapMode.READ
  const floats = new Float32Array(copy.getMappedRange().slice(0));
  copy.destroy();
  return floats;
}
