// What `linear` should give: the product, whatever happens to activations before it and to sums after it, in float64.

import { assert } from "../../base/errors.ts";
import { ceilDiv } from "../../base/math.ts";
import { activate } from "./activate.ts";
import { activeRanges } from "../attention.ts";
import { dequantizeRows } from "./codes.ts";
import type { CpuArgs, CpuTensor } from "../kernel.ts";
import { bestOf, type LinearAttributes, type RangesAttributes } from "../matrix.ts";
import { bestLogit } from "./logits.ts";

/** Joined ranges, [rows, numHeads * headDim]. */
function joined(ranges: RangesAttributes, { inputs: [partials], rows }: CpuArgs): CpuTensor {
  const { numHeads, headDim, splits } = ranges;
  const cols = numHeads * headDim;
  const data = new Float32Array(partials.rows * cols);
  for (let row = 0; row < partials.rows; row++) {
    const active = activeRanges(rows[row].position, ranges);
    for (let head = 0; head < numHeads; head++) {
      const at = row * partials.cols + head * splits * (headDim + 4);
      const entries = Array.from({ length: active }, (_, range) => partials.data.subarray(at + range * (headDim + 4)));
      const max = entries.reduce((most, [value]) => Math.max(most, value), Number.NEGATIVE_INFINITY);
      const sum = entries.reduce((total, [value, part]) => total + Math.exp(value - max) * part, 0);
      for (let d = 0; d < headDim; d++) {
        const total = entries.reduce((part, entry) => part + Math.exp(entry[0] - max) * entry[4 + d], 0);
        data[row * cols + head * headDim + d] = total / sum;
      }
    }
  }
  return { rows: partials.rows, cols, data };
}

/** Rows over their root mean square, times a weight. */
function normalized(x: CpuTensor, weight: Float32Array, eps: number): CpuTensor {
  const { rows, cols } = x;
  const data = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let i = 0; i < cols; i++) sum += x.data[row * cols + i] ** 2;
    const factor = 1 / Math.sqrt(sum / cols + eps);
    for (let i = 0; i < cols; i++) data[row * cols + i] = x.data[row * cols + i] * factor * weight[i];
  }
  return { rows, cols, data };
}

function activations({ norm, merge, activations: type, k }: LinearAttributes, args: CpuArgs): CpuTensor {
  if (merge) return joined(merge, args);
  const x = type === "int8" ? dequantizeRows(args.inputs, k) : args.inputs[0];
  return norm ? normalized(x, args.vectors[0], norm.eps) : x;
}

/** The outputs of `linear`; NaN marks the columns that other parts of a split tensor write. */
export function linearReference(attributes: LinearAttributes, args: CpuArgs): readonly CpuTensor[] {
  const { n, k, outStart, outCols, bias, norm, pair, residual } = attributes;
  const x = activations(attributes, args);
  const [w] = args.weights;
  const biases = bias ? args.vectors[norm ? 1 : 0] : undefined;
  const added = residual ? args.inputs.at(-1) : undefined;
  assert(!residual || added?.cols === outCols, "the residual has other columns than the output");
  const data = new Float32Array(x.rows * outCols).fill(Number.NaN);
  for (let row = 0; row < x.rows; row++) {
    const product = (col: number): number => {
      let sum = 0;
      for (let i = 0; i < k; i++) sum += x.data[row * k + i] * w.data[col * k + i];
      return sum + (biases?.[col] ?? 0);
    };
    for (let col = 0; col < n; col++) {
      const at = row * outCols + outStart + col;
      const value = pair ? activate(pair.activation, product(col)) * product(pair.start + col) : product(col);
      data[at] = value + (added?.data[at] ?? 0);
    }
  }
  const y = { rows: x.rows, cols: outCols, data };
  return attributes.best ? [y, bestOfEights(y, attributes)] : [y];
}

/** The largest of every eight columns that a part makes. */
function bestOfEights({ rows, cols, data }: CpuTensor, { n, outStart }: LinearAttributes): CpuTensor {
  const eights = ceilDiv(cols, bestOf);
  const best = new Float32Array(rows * eights).fill(Number.NaN);
  for (let row = 0; row < rows; row++) {
    for (let col = outStart; col < outStart + n; col += bestOf) {
      const values = data.subarray(row * cols + col, row * cols + Math.min(col + bestOf, outStart + n));
      best[row * eights + col / bestOf] = bestLogit(values);
    }
  }
  return { rows, cols: eights, data: best };
}
