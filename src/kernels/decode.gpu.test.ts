// Every format's shader part against its specification, weight by weight: `embed` writes out what decode32 gives, which must be
// the dequantized value but for rounding, subnormal and huge scales included; codes32 the same.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blockWidth, rowGroupSize, rowStride, stepBytes, stepHeaderWords, stepRowWords } from "../base/layout.ts";
import { seededRng } from "../base/rng.ts";
import { packMatrix, type WeightFormat } from "../formats/format.ts";
import { edgeBlocks, edgeKinds, flushAllowance } from "../testing/edge_blocks.ts";
import { formats } from "../testing/formats.ts";
import { type OpenDevice, openDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { embed } from "./embed.ts";
import { shaderFiles } from "../testing/shader_files.ts";

const kinds = ["sample", ...edgeKinds] as const;

/** A row group of each kind. */
const rows = kinds.length * rowGroupSize;

interface Case {
  readonly format: WeightFormat;
  readonly part?: WeightFormat;
  readonly cols: number;
  readonly file?: Uint8Array;
}

/** File bytes of a row group of each kind. */
function fileOf(format: WeightFormat, cols: number): Uint8Array {
  const blocks = (rowGroupSize * cols) / format.blockSize;
  const groups = kinds.map((kind) =>
    kind === "sample" ? format.sample(seededRng(format.ggufType + 1), blocks) : edgeBlocks(format, kind, blocks),
  );
  const file = new Uint8Array(groups.length * groups[0].length);
  for (const [index, group] of groups.entries()) file.set(group, index * group.length);
  return file;
}

/** A decode32 by codes32, the simplest there is; codes that have too many bits come to nothing like the weight. */
function decodeCodes(codeBits = 8): string {
  const unused = (0x01010101 * (256 - (1 << codeBits))) >>> 0;
  const words = ["a.x", "a.y", "a.z", "a.w", "b.x", "b.y", "b.z", "b.w"];
  const all = words.map((word, i) => `four(codes.${word}, codes.step[${i >> 2}], codes.offset[${i >> 2}])`);
  return `
    fn four(word: u32, step: f32, offset: f32) -> vec4<f32> {
      if ((word & ${unused}u) != 0u) {
        return vec4<f32>(1e30);
      }
      return step * vec4<f32>(vec4<i32>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u)) + offset;
    }

    fn decode32(row: u32, block: u32) -> Block32 {
      let codes = codes32(row, block);
      return Block32(${all.join(", ")});
    }`;
}

/** The format with a part whose decode32 goes by codes32. */
function throughCodes(format: WeightFormat): WeightFormat {
  return { ...format, part: `${format.part.replace("fn decode32(", "fn unused32(")}\n${decodeCodes(format.codeBits)}` };
}

const gpu = await openTestGpu();
let opened: OpenDevice | undefined;

beforeAll(async () => {
  if (gpu) opened = await openDevice(gpu, { maxStorageBuffers: 8 });
});
afterAll(() => opened?.destroy());

/** All rows through `embed`, [rows, rowStride(cols)]. */
async function decodeOnGpu({ device, caps }: OpenDevice, format: WeightFormat, file: Uint8Array, cols: number): Promise<Float32Array> {
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

/** How far weights are off, beyond what rounding in f32 explains, in the worst block of 32 of each kind that has such weights. */
function faults(format: WeightFormat, expected: Float32Array, actual: Float32Array, cols: number): string[] {
  const found = new Map<string, number>();
  for (let row = 0; row < rows; row++) {
    const kind = kinds[Math.floor(row / rowGroupSize)];
    for (let col = 0; col < rowStride(cols); col += blockWidth) {
      const want = expected.subarray(row * cols + col, row * cols + Math.min(col + blockWidth, cols));
      const size = want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const allowed = size * 2 ** -22 + flushAllowance(format);
      for (let index = 0; index < blockWidth; index++) {
        const error = Math.abs(actual[row * rowStride(cols) + col + index] - (want[index] ?? 0));
        if (!(error <= allowed)) found.set(kind, Math.max(found.get(kind) ?? 0, error / size));
      }
    }
  }
  return [...found].map(([kind, error]) => `${kind}: ${error}`);
}

/** Decodes a file through `part`, a format of the same layout. */
async function check(device: OpenDevice, { format, part = format, cols, file = fileOf(format, cols) }: Case): Promise<void> {
  const expected = new Float32Array(rows * cols);
  format.dequantize(file, expected);
  expect(expected.every(Number.isFinite)).toBe(true);
  const actual = await decodeOnGpu(device, part, file, cols);
  expect(faults(format, expected, actual, cols)).toEqual([]);
}

describe("decode32 gives what dequantize gives", () => {
  test.for(formats)("$name", async (format, context) => {
    await check(opened ?? context.skip(skipReason()), { format, cols: 1280 });
  });

  test.for(formats)("$name in rows that end inside units", async (format, context) => {
    await check(opened ?? context.skip(skipReason()), { format, cols: format.blockSize === 1 ? 75 : format.blockSize * 3 });
  });

  /** Rows that a matrix lacks are never written: their bytes are zero, whatever zero blocks are packed to. */
  test.for(formats)("$name: zero bytes are zero weights", async (format, context) => {
    const missing: WeightFormat = { ...format, repack: () => {}, dequantize: (_file, out) => void out.fill(0) };
    const device = opened ?? context.skip(skipReason());
    await check(device, { format: missing, cols: 1280 });
    if (format.packed) await check(device, { format: missing, part: throughCodes(missing), cols: 1280 });
  });

  test.for(formats.filter(({ name }) => name === "mxfp4"))("$name with every scale that is no fault", async (format, context) => {
    const file = fileOf(format, 1280);
    for (let block = 0; block < file.length / format.bytesPerBlock; block++) file[block * format.bytesPerBlock] = block % 249;
    await check(opened ?? context.skip(skipReason()), { format, cols: 1280, file });
  });
});

describe("codes32 stands for what dequantize gives", () => {
  test.for(formats.filter(({ packed }) => packed))("$name", async (format, context) => {
    await check(opened ?? context.skip(skipReason()), { format, part: throughCodes(format), cols: 1280 });
  });
});
