// One activation row times a matrix: the kernel that decode runs, against a plain one on the same Q4_0 weights in the same page,
// and in the other formats by itself.

import { assert } from "../src/base/errors.ts";
import { ceilDiv } from "../src/base/math.ts";
import { seededRng } from "../src/base/rng.ts";
import { stepBytes } from "../src/base/layout.ts";
import { packMatrix, type WeightFormat } from "../src/formats/format.ts";
import type { Caps } from "../src/gpu/caps.ts";
import { createPipelineCache, type Pipeline } from "../src/gpu/pipelines.ts";
import type { Variant } from "../src/kernels/kernel.ts";
import { linear } from "../src/kernels/linear.ts";
import { shaderFiles } from "../src/kernels/shader_files.ts";
import { timeWorks, type TimingOptions, type Work } from "./measure.ts";
import { formatNamed, randomWeights } from "./random_model.ts";
import treeShader from "./reference/matvec_tree.wgsl?raw";

export interface MatvecRow {
  /** Key of the variant, or `reference, ...`. */
  readonly name: string;
  readonly ms: number;
  /** Bytes of the weights in their file over the time, in GB/s. */
  readonly gigabytesPerSecond: number;
}

export interface MatvecResult {
  readonly n: number;
  readonly k: number;
  readonly rows: readonly MatvecRow[];
  /** Time of the reference over that of ours, both Q4_0. */
  readonly ratio: number;
  /** Normalised mean squared difference of the two results. */
  readonly nmse: number;
}

const n = 4096;
const k = 4096;
const otherFormats = ["q8_0", "q4_k", "f16"];

/** Bytes that no cache of a GPU holds; CPU drivers are too slow to be limited by theirs. */
const rotatedBytes = 256 << 20;

interface Bench {
  readonly device: GPUDevice;
  readonly caps: Caps;
  readonly x: GPUBuffer;
  readonly step: GPUBuffer;
  readonly buffers: GPUBuffer[];
}

/** A work and the buffer it leaves its result in. */
interface Product {
  readonly name: string;
  readonly work: Work;
  readonly y: GPUBuffer;
}

const storage = 0x80 | 0x04 | 0x08; // STORAGE | COPY_SRC | COPY_DST; the global constants are missing in Node

function bufferOf(bench: Bench, data: Uint8Array<ArrayBuffer>): GPUBuffer {
  const buffer = bench.device.createBuffer({ size: data.byteLength, usage: storage });
  bench.device.queue.writeBuffer(buffer, 0, data);
  bench.buffers.push(buffer);
  return buffer;
}

/** As many equal buffers as it takes to outgrow the caches. */
function rotate(bench: Bench, data: Uint8Array<ArrayBuffer>): GPUBuffer[] {
  const count = bench.caps.deviceClass === "cpu" ? 1 : ceilDiv(rotatedBytes, data.byteLength);
  return Array.from({ length: count }, () => bufferOf(bench, data));
}

function workOf(bench: Bench, pipeline: Pipeline, options: { groups: readonly GPUBuffer[][]; grid: readonly number[] }): Work {
  const { device, step } = bench;
  const tensors = options.groups.map((buffers) =>
    device.createBindGroup({
      layout: pipeline.tensors,
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    }),
  );
  const state = pipeline.step && device.createBindGroup({ layout: pipeline.step, entries: [{ binding: 0, resource: { buffer: step } }] });
  const [gridX, gridY, gridZ] = options.grid;
  return (pass, repetition) => {
    pass.setPipeline(pipeline.pipeline);
    pass.setBindGroup(0, tensors[repetition % tensors.length]);
    if (state) pass.setBindGroup(1, state);
    pass.dispatchWorkgroups(gridX, gridY, gridZ);
  };
}

/** The variant that a decode program would run. */
function ourVariant(bench: Bench, format: WeightFormat): Variant {
  const attributes = { format, k, n, bias: false, outStart: 0, outCols: n, over: "rows", out: "act" } as const;
  const { caps } = bench;
  const [variant] = linear.variants(attributes, { caps, deviceClass: caps.deviceClass, precision: "f32", maxRows: 1 });
  assert(variant, "linear has a variant for every target");
  return variant;
}

async function ourProduct(bench: Bench, format: WeightFormat, file: Uint8Array): Promise<Product> {
  const packed = packMatrix(format, file, { rows: n, cols: k });
  const variant = ourVariant(bench, format);
  const { key, header, bindings, files, usesStep } = variant;
  const request = { label: key, header, bindings, files, ...(usesStep ? { stepRows: 1 } : {}) };
  const pipeline = await createPipelineCache(bench.device, shaderFiles).get(request);
  const y = bufferOf(bench, new Uint8Array(n * 4));
  const groups = rotate(bench, packed).map((weights) =>
    bindings.map(({ from }) => {
      const bound: Partial<Record<string, GPUBuffer>> = { input0: bench.x, weight0: weights, output0: y };
      const buffer = bound[from];
      assert(buffer, `${key} reads ${from}, which the bench does not make`);
      return buffer;
    }),
  );
  return { name: key, work: workOf(bench, pipeline, { groups, grid: variant.grid({ rows: 1, outputRows: 1, contextTokens: 1 }) }), y };
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

async function treeProduct(bench: Bench, file: Uint8Array): Promise<Product> {
  const { codes, scales } = splitQ4(file);
  const wg = 64;
  const pipeline = await createPipelineCache(bench.device, new Map([["matvec_tree.wgsl", treeShader]])).get({
    label: "matvec_tree",
    header: { consts: { WG: wg, K: k } },
    bindings: [
      { name: "x", type: "array<f32>", access: "read" },
      { name: "q", type: "array<u32>", access: "read" },
      { name: "d", type: "array<u32>", access: "read" },
      { name: "y", type: "array<f32>", access: "read_write" },
    ],
    files: ["matvec_tree.wgsl"],
  });
  const y = bufferOf(bench, new Uint8Array(n * 4));
  const scaleBuffer = bufferOf(bench, scales);
  const groups = rotate(bench, codes).map((code) => [bench.x, code, scaleBuffer, y]);
  return { name: `reference, row per workgroup of ${wg}, tree`, work: workOf(bench, pipeline, { groups, grid: [n, 1, 1] }), y };
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

async function difference(device: GPUDevice, [ours, reference]: readonly Product[]): Promise<number> {
  const [a, b] = [await readFloats(device, ours.y), await readFloats(device, reference.y)];
  let [error, norm] = [0, 0];
  for (const [index, value] of b.entries()) {
    error += (a[index] - value) ** 2;
    norm += value ** 2;
  }
  return norm > 0 ? error / norm : Number.POSITIVE_INFINITY;
}

/** @throws when our kernel and the reference disagree: a time of wrong results is worth nothing */
export async function measureMatvec(device: GPUDevice, caps: Caps, options: TimingOptions = {}): Promise<MatvecResult> {
  const rng = seededRng(3);
  const step = device.createBuffer({ size: stepBytes(1), usage: 0x40 | 0x08 }); // UNIFORM | COPY_DST
  device.queue.writeBuffer(step, 0, Uint32Array.of(1, 1, 0, 0));
  const made: GPUBuffer[] = [step];
  const x = device.createBuffer({ size: k * 4, usage: storage });
  device.queue.writeBuffer(
    x,
    0,
    Float32Array.from({ length: k }, () => rng.normal()),
  );
  const bench: Bench = { device, caps, x, step, buffers: made };
  made.push(x);
  try {
    const q4 = formatNamed("q4_0");
    const file = randomWeights(q4, 4)(n, k);
    const pair = [await ourProduct(bench, q4, file), await treeProduct(bench, file)];
    const times = await timeWorks(
      device,
      pair.map((product) => product.work),
      options,
    );
    const nmse = await difference(device, pair);
    assert(nmse < 1e-6, `our matvec and the reference differ by ${nmse}`);
    const rows = pair.map(({ name }, index) => rowOf(name, times[index], file.byteLength));
    for (const name of otherFormats) rows.push(await measureFormat(bench, formatNamed(name), options));
    return { n, k, rows, ratio: times[1] / times[0], nmse };
  } finally {
    for (const buffer of made) buffer.destroy();
  }
}

function rowOf(name: string, ms: number, bytes: number): MatvecRow {
  return { name, ms, gigabytesPerSecond: bytes / ms / 1e6 };
}

async function measureFormat(bench: Bench, format: WeightFormat, options: TimingOptions): Promise<MatvecRow> {
  const file = randomWeights(format, 5)(n, k);
  const { name, work } = await ourProduct(bench, format, file);
  const [ms] = await timeWorks(bench.device, [work], options);
  return rowOf(name, ms, file.byteLength);
}
