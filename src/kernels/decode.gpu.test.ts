// Every format's shader part against its specification, weight by weight: `embed` writes out what decode32 gives, which must be
// the dequantized value exactly, subnormal scales included.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rowStride, stepBytes, stepHeaderWords, stepRowWords } from "../base/layout.ts";
import { seededRng } from "../base/rng.ts";
import { packMatrix, type WeightFormat } from "../formats/format.ts";
import { formats } from "../testing/formats.ts";
import { type OpenDevice, openDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { embed } from "./embed.ts";
import { shaderFiles } from "./shader_files.ts";

const rows = 24;
const cols = 1280;

/** File bytes of random weights. */
function randomFile(format: WeightFormat): Uint8Array {
  return format.sample(seededRng(format.ggufType + 1), (rows * cols) / format.blockSize);
}

const gpu = await openTestGpu();
let opened: OpenDevice | undefined;

beforeAll(async () => {
  if (gpu) opened = await openDevice(gpu, { maxStorageBuffers: 8 });
});
afterAll(() => opened?.destroy());

/** All rows through `embed`, [rows, rowStride(cols)]. */
async function decodeOnGpu({ device, caps }: OpenDevice, format: WeightFormat, file: Uint8Array): Promise<Float32Array> {
  const packed = packMatrix(format, file, { rows, cols });
  const target = { caps, deviceClass: caps.deviceClass, precision: "f32", maxRows: rows } as const;
  const [variant] = embed.variants({ format, cols, rowStart: 0, rowCount: rows }, target);
  const { key, header, bindings, files } = variant;
  const { pipeline, tensors, step } = await createPipelineCache(device, shaderFiles).get({
    label: key,
    header,
    bindings,
    files,
    stepRows: rows,
  });
  const upload = (bytes: Uint8Array, usage: number): GPUBuffer => {
    const buffer = device.createBuffer({ size: bytes.byteLength, usage: usage | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(buffer, 0, new Uint8Array(bytes));
    return buffer;
  };
  const state = new Uint32Array(stepBytes(rows) / 4);
  state[0] = rows;
  for (let row = 0; row < rows; row++) state[stepHeaderWords + row * stepRowWords] = row;
  const weights = upload(packed, GPUBufferUsage.STORAGE);
  const uniform = upload(new Uint8Array(state.buffer), GPUBufferUsage.UNIFORM);
  const size = rows * rowStride(cols) * 4;
  const output = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const result = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const group = (layout: GPUBindGroupLayout, buffers: readonly GPUBuffer[]): GPUBindGroup =>
    device.createBindGroup({ layout, entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })) });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group(tensors, [weights, output]));
  if (step) pass.setBindGroup(1, group(step, [uniform]));
  pass.dispatchWorkgroups(...variant.grid({ rows, outputRows: 1, contextTokens: 1 }));
  pass.end();
  encoder.copyBufferToBuffer(output, 0, result, 0, size);
  device.queue.submit([encoder.finish()]);
  await result.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(result.getMappedRange().slice(0));
  for (const buffer of [weights, uniform, output, result]) buffer.destroy();
  return values;
}

describe("decode32 gives what dequantize gives", () => {
  test.for(formats)("$name", async (format, context) => {
    const device = opened ?? context.skip(skipReason());
    const file = randomFile(format);
    const expected = new Float32Array(rows * cols);
    format.dequantize(file, expected);
    const actual = await decodeOnGpu(device, format, file);
    // An adapter may flush f16 weights that are subnormal; scales are decoded without that freedom.
    const allowed = format.name === "f16" ? 2 ** -14 : 0;
    let worst = 0;
    for (const [index, value] of expected.entries()) worst = Math.max(worst, Math.abs(actual[index] - value) - Math.abs(value) * 2 ** -22);
    expect(expected.every(Number.isFinite) && expected.some((value) => value !== 0)).toBe(true);
    expect(worst).toBeLessThanOrEqual(allowed);
  });
});
