// Softmax over rows as long as vocabularies, in two passes against three: by pairs of mantissa and exponent, and by blocks as the sampler
// sums. All forms have the same threads, loads and merges, so that the pass for the maximum is what differs.

import { assert } from "../src/base/errors.ts";
import { seededRng } from "../src/base/rng.ts";
import { alignUp } from "../src/base/math.ts";
import { BufferLedger, readbackUsage } from "../src/gpu/buffers.ts";
import { normalised } from "../src/tuning/compare.ts";
import { timeRounds, type TimingOptions, type Work } from "./measure.ts";
import type { ProductTime, Ratio } from "./ratios.ts";
import { median } from "./statistics.ts";
import blocksShader from "./reference/softmax_blocks.wgsl?raw";
import threePassShader from "./reference/softmax_three_pass.wgsl?raw";
import twoPassShader from "./reference/softmax_two_pass.wgsl?raw";

const lanes = 64;
/** vec4 of a thread. */
const fours = 8;
const bound = 1e-6;

const forms = [
  { name: "softmax_two_pass", code: twoPassShader, entries: ["sums", "merge", "write"] },
  { name: "softmax_blocks", code: blocksShader, entries: ["sums", "merge", "write"] },
  { name: "softmax_three_pass", code: threePassShader, entries: ["largest", "merge_largest", "sums", "merge_sums", "write"] },
] as const;

interface Shape {
  readonly rows: number;
  readonly cols: number;
}

/** A vocabulary's logits for one token, and for enough rows to leave the caches. */
const shapes: readonly Shape[] = [
  { rows: 1, cols: 151_936 },
  { rows: 16, cols: 151_936 },
];

interface Stage {
  readonly pipeline: GPUComputePipeline;
  readonly grid: readonly [number, number];
}

interface Form {
  readonly name: string;
  readonly work: Work;
}

/** Logits of which a few stand out; the second half of the rows is shifted by 1e4, where exp overflows. */
function makeLogits({ rows, cols }: Shape, stride: number): Float32Array<ArrayBuffer> {
  const rng = seededRng(cols + rows);
  // What pads a row weighs nothing beside it.
  const data = new Float32Array(rows * stride).fill(-1e4);
  for (let row = 0; row < rows; row++) {
    const shift = 2 * row >= rows ? 1e4 : 0;
    for (let col = 0; col < cols; col++) data[row * stride + col] = shift + 3 * rng.normal() + (col % 997 === 3 ? 9 : 0);
  }
  return data;
}

/** NMSE of a row against float64. */
function rowError(found: Float32Array, logits: Float32Array): number {
  const most = logits.reduce((max, value) => Math.max(max, value));
  const sum = logits.reduce((total, value) => total + Math.exp(value - most), 0);
  let [error, norm] = [0, 0];
  for (const [col, value] of logits.entries()) {
    const want = Math.exp(value - most) / sum;
    error += (found[col] - want) ** 2;
    norm += want ** 2;
  }
  return normalised(error, norm);
}

async function readRows(device: GPUDevice, from: GPUBuffer): Promise<Float32Array> {
  const copy = device.createBuffer({ size: from.size, usage: readbackUsage });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(from, 0, copy, 0, from.size);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(1); // GPUMapMode.READ
  const values = new Float32Array(copy.getMappedRange().slice(0));
  copy.destroy();
  return values;
}

async function makeForm(device: GPUDevice, form: (typeof forms)[number], shape: Shape, buffers: readonly GPUBuffer[]): Promise<Form> {
  const stride = alignUp(shape.cols / 4, lanes * fours);
  const groups = stride / (lanes * fours);
  const consts = { STRIDE: stride, PARTS: groups * lanes, FOURS: fours, WG: lanes };
  const header = Object.entries(consts).map(([name, value]) => `const ${name}: u32 = ${value}u;`);
  const module = device.createShaderModule({ code: [...header, form.code].join("\n") });
  const layout = device.createBindGroupLayout({
    entries: buffers.map((_, binding) => ({ binding, visibility: 4, buffer: { type: binding === 0 ? "read-only-storage" : "storage" } })),
  });
  const group = device.createBindGroup({ layout, entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })) });
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
  const stages: Stage[] = [];
  for (const entryPoint of form.entries) {
    const pipeline = await device.createComputePipelineAsync({ layout: pipelineLayout, compute: { module, entryPoint } });
    stages.push({ pipeline, grid: entryPoint.startsWith("merge") ? [shape.rows, 1] : [groups, shape.rows] });
  }
  const work: Work = (pass) => {
    pass.setBindGroup(0, group);
    for (const { pipeline, grid } of stages) {
      pass.setPipeline(pipeline);
      pass.dispatchWorkgroups(...grid);
    }
  };
  return { name: form.name, work };
}

async function measureShape(device: GPUDevice, shape: Shape, options: TimingOptions): Promise<{ times: ProductTime[]; ratios: Ratio[] }> {
  const ledger = new BufferLedger(device);
  const stride = 4 * alignUp(shape.cols / 4, lanes * fours);
  const make = (label: string, words: number): GPUBuffer => ledger.create("other", { label, size: 4 * words });
  const y = make("y", shape.rows * stride);
  const buffers = [make("x", shape.rows * stride), y, make("partial", (shape.rows * stride) / (2 * fours)), make("total", 2 * shape.rows)];
  const logits = makeLogits(shape, stride);
  device.queue.writeBuffer(buffers[0], 0, logits);
  const label = `softmax ${shape.rows} x ${shape.cols}`;
  try {
    const made: Form[] = [];
    const errors: number[] = [];
    for (const form of forms) {
      const one = await makeForm(device, form, shape, buffers);
      await timeRounds(device, [one.work], { leastMs: 1, rounds: 1 });
      const found = await readRows(device, y);
      const ends = [0, shape.rows - 1].map((row) => [row * stride, row * stride + shape.cols] as const);
      const error = Math.max(...ends.map(([start, end]) => rowError(found.subarray(start, end), logits.subarray(start, end))));
      assert(error <= bound, `${label}: ${form.name} is wrong, NMSE ${error}`);
      made.push(one);
      errors.push(error);
    }
    const works = made.map(({ work }) => work);
    const rounds = await timeRounds(device, works, options);
    const least = rounds.map((one) => Math.min(...one));
    const times = made.map(({ name }, index) => ({ product: label, name, ms: least[index], nmse: errors[index] }));
    const last = made.length - 1;
    const ratios = made.slice(0, last).map((form, index): Ratio => ({
      name: `${label}, ${form.name.replace("softmax_", "")}`,
      ours: form.name,
      reference: made[last].name,
      ratio: least[last] / least[index],
      medianRatio: median(rounds[index].map((ms, round) => rounds[last][round] / ms)),
    }));
    return { times, ratios };
  } finally {
    ledger.destroyAll();
  }
}

/** @throws when a result is wrong */
export async function measureSoftmax(device: GPUDevice, options: TimingOptions): Promise<{ times: ProductTime[]; ratios: Ratio[] }> {
  const times: ProductTime[] = [];
  const ratios: Ratio[] = [];
  for (const shape of shapes) {
    const found = await measureShape(device, shape, options);
    times.push(...found.times);
    ratios.push(...found.ratios);
  }
  return { times, ratios };
}
