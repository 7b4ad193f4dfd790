// Activations as signed bytes, for the int8 class: once for each value that matrix products read.

import { blockWidth, rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { CpuArgs, CpuTensor, InputSpec, Kernel, KernelCase, KernelTarget, OutputSpec, Variant } from "./kernel.ts";
import { makeHeader, supports, variantKey } from "./target.ts";
import { streamedBytes } from "./work.ts";

export interface QuantizeAttributes {
  readonly cols: number;
  readonly over: "rows" | "outputRows";
}

/** Shapes of quantized activations: four bytes to a word, a scale for each 32. */
export function quantizedSpecs({ cols, over }: QuantizeAttributes): readonly [OutputSpec & InputSpec, OutputSpec & InputSpec] {
  const stride = rowStride(cols);
  return [
    { rows: over, cols: stride / 4, type: "u32" },
    { rows: over, cols: stride / blockWidth, type: "f32" },
  ];
}

/** What quantized activations stand for, [rows, cols]. */
export function dequantizeRows([packed, scales]: readonly CpuTensor[], cols: number): CpuTensor {
  const codes = new Int8Array(packed.data.buffer, packed.data.byteOffset, packed.data.byteLength);
  const data = new Float32Array(packed.rows * cols);
  for (let row = 0; row < packed.rows; row++) {
    for (let col = 0; col < cols; col++) {
      const scale = scales.data[row * scales.cols + Math.floor(col / blockWidth)];
      data[row * cols + col] = scale * codes[row * packed.cols * 4 + col];
    }
  }
  return { rows: packed.rows, cols, data };
}

function variants({ cols, over }: QuantizeAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target) || target.precision !== "int8") return [];
  const workgroupSize = target.deviceClass === "cpu" ? 8 : 32;
  const blocks = rowStride(cols) / blockWidth;
  const scalesStride = rowStride(blocks);
  return [
    {
      key: variantKey(target, "quantize", "int8"),
      precision: target.precision,
      header: makeHeader(target, {
        WG: workgroupSize,
        BLOCKS: blocks,
        SCALES_STRIDE: scalesStride,
        OVER_OUTPUT_ROWS: over === "outputRows",
      }),
      files: ["quantize.wgsl"],
      bindings: [
        { name: "x", from: "input0", type: "array<vec4<act_t>>", access: "read" },
        { name: "q", from: "output0", type: "array<vec4<u32>>", access: "read_write" },
        { name: "scales", from: "output1", type: "array<f32>", access: "read_write" },
      ],
      usesStep: true,
      grid: (step) => [ceilDiv(scalesStride, workgroupSize), step[over], 1],
    },
  ];
}

function reference({ cols }: QuantizeAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [x] = args.inputs;
  const stride = rowStride(cols);
  const blocks = stride / blockWidth;
  const codes = new Int8Array(x.rows * stride);
  const scales = new Float32Array(x.rows * blocks);
  for (let row = 0; row < x.rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const values = x.data.subarray(row * cols + block * blockWidth, row * cols + Math.min((block + 1) * blockWidth, cols));
      const most = values.reduce((high, value) => Math.max(high, Math.abs(value)), 0);
      scales[row * blocks + block] = most / 127;
      if (most <= 1e-30) continue;
      for (const [index, value] of values.entries()) codes[row * stride + block * blockWidth + index] = Math.round((value * 127) / most);
    }
  }
  return [
    { rows: x.rows, cols: stride / 4, data: new Float32Array(codes.buffer) },
    { rows: x.rows, cols: blocks, data: scales },
  ];
}

function caseOf(name: string, rows: number, attributes: QuantizeAttributes): KernelCase<QuantizeAttributes> {
  return attributes.over === "rows" ? { name, rows, attributes } : { name, rows: 11, outputRows: rows, attributes };
}

/** q = round(x / scale), scale = max|x| / 127 over each 32 of a row; q u32 [rows, stride / 4], scale f32 [rows, stride / 32]. */
export const quantize: Kernel<QuantizeAttributes> = {
  name: "quantize",
  outputs: (attributes) => quantizedSpecs(attributes),
  variants,
  reference,
  operands: ({ cols, over }) => ({
    inputs: [
      {
        rows: over,
        cols,
        type: "act",
        // The first of a block sets the step; the others lie within 0.4 of a whole number of them, so that every adapter's
        // rounding gives the same codes. Some blocks are zero.
        fill: (rng, row, col) => {
          const block = Math.floor(col / blockWidth);
          const step = (row + block) % 7 === 6 ? 0 : 2 ** (((row * 5 + block * 3) % 17) - 8);
          return step * (col % blockWidth === 0 ? 127 : rng.below(253) - 126 + 0.8 * (rng.unit() - 0.5));
        },
      },
    ],
  }),
  work: (attributes, step) => ({
    bytes: streamedBytes(quantize.operands(attributes), quantize.outputs(attributes), step),
    macs: step[attributes.over] * attributes.cols,
  }),
  cases: [
    caseOf("1 element", 1, { cols: 1, over: "rows" }),
    caseOf("33x33", 33, { cols: 33, over: "rows" }),
    caseOf("3x1031", 3, { cols: 1031, over: "rows" }),
    caseOf("5x4096 output rows", 5, { cols: 4096, over: "outputRows" }),
  ],
};
