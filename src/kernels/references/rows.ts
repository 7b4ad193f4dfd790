// What kernels that make rows of rows should give: sums, gates, norms, picked rows, codes.

import type { AddAttributes } from "../add.ts";
import type { EmbedAttributes } from "../embed.ts";
import type { GatherRowsAttributes } from "../gather_rows.ts";
import type { GluAttributes } from "../glu.ts";
import type { CpuArgs, CpuTensor } from "../kernel.ts";
import type { QuantizeAttributes } from "../quantize.ts";
import type { RmsNormAttributes } from "../rms_norm.ts";
import { activate } from "./activate.ts";
import { rowResults } from "./codes.ts";

export function addReference(_: AddAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [a, b] = args.inputs;
  return [{ rows: a.rows, cols: a.cols, data: a.data.map((value, index) => value + b.data[index]) }];
}

export function embedReference({ cols, rowStart, rowCount }: EmbedAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [table] = args.weights;
  // NaN marks the rows that another part of a split table writes.
  const data = new Float32Array(args.rows.length * cols).fill(Number.NaN);
  for (const [index, { token }] of args.rows.entries()) {
    const row = token - rowStart;
    if (row >= 0 && row < rowCount) data.set(table.data.subarray(row * cols, (row + 1) * cols), index * cols);
  }
  return [{ rows: args.rows.length, cols, data }];
}

export function gatherRowsReference({ cols, quantized }: GatherRowsAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [x] = args.inputs;
  const data = new Float32Array(args.outputRows.length * cols);
  for (const [row, source] of args.outputRows.entries()) data.set(x.data.subarray(source * cols, (source + 1) * cols), row * cols);
  return rowResults({ rows: args.outputRows.length, cols, data }, quantized);
}

export function gluReference({ cols, activation, quantized, stacked }: GluAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [gate, up = gate] = args.inputs;
  const data = new Float32Array(gate.rows * cols);
  for (let row = 0; row < gate.rows; row++) {
    for (let col = 0; col < cols; col++) {
      const factor = up.data[row * up.cols + (stacked?.upStart ?? 0) + col];
      data[row * cols + col] = activate(activation, gate.data[row * gate.cols + col]) * factor;
    }
  }
  return rowResults({ rows: gate.rows, cols, data }, quantized);
}

export function quantizeReference(_: QuantizeAttributes, { inputs: [x] }: CpuArgs): readonly CpuTensor[] {
  return rowResults(x, "only");
}

export function rmsNormReference({ cols, groups, eps, quantized }: RmsNormAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [x] = args.inputs;
  const [w] = args.vectors;
  const data = new Float32Array(x.data.length);
  for (let base = 0; base < data.length; base += cols) {
    let sum = 0;
    for (let col = 0; col < cols; col++) sum += x.data[base + col] ** 2;
    const scale = 1 / Math.sqrt(sum / cols + eps);
    for (let col = 0; col < cols; col++) data[base + col] = x.data[base + col] * scale * w[col];
  }
  return rowResults({ rows: x.rows, cols: cols * groups, data }, quantized);
}
