// Activations as signed bytes on the CPU: how rows become codes, and what codes stand for.

import { blockWidth, rowStride } from "../../base/layout.ts";
import type { Quantized } from "../codes.ts";
import type { CpuTensor } from "../kernel.ts";

/** Codes and scales of rows; a block with NaN or infinity has the scale NaN. */
function quantizeRows({ rows, cols, data }: CpuTensor): readonly CpuTensor[] {
  const stride = rowStride(cols);
  const blocks = stride / blockWidth;
  const codes = new Int8Array(rows * stride);
  const scales = new Float32Array(rows * blocks);
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const values = data.subarray(row * cols + block * blockWidth, row * cols + Math.min((block + 1) * blockWidth, cols));
      const most = values.reduce((high, value) => Math.max(high, Math.abs(value)), 0);
      scales[row * blocks + block] = Number.isFinite(most) ? most / 127 : Number.NaN;
      if (!(most > 1e-30 && most < Number.POSITIVE_INFINITY)) continue;
      for (const [index, value] of values.entries()) codes[row * stride + block * blockWidth + index] = Math.round((value * 127) / most);
    }
  }
  return [
    { rows, cols: stride / 4, data: new Float32Array(codes.buffer) },
    { rows, cols: blocks, data: scales },
  ];
}

/** The reference's outputs from its rows. */
export function rowResults(rows: CpuTensor, quantized: Quantized | undefined): readonly CpuTensor[] {
  if (quantized === undefined) return [rows];
  return quantized === "also" ? [rows, ...quantizeRows(rows)] : quantizeRows(rows);
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
