// What quantizing a page lost as a matrix of rank 2, on the CPU: the factors that shaders/kv_repair.wgsl finds, up to rounding. By subspace
// iteration from two fixed vectors of signs: dimensions follow from tokens and tokens from dimensions by least squares, in turns.

import { f16ToF32, f32ToF16 } from "../../base/dtype.ts";
import type { KvLayout } from "../../base/layout.ts";
import { repairTurns } from "../kv_repair.ts";

/** Two columns, element by element. */
type Columns = readonly [Float64Array, Float64Array];

function product(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let n = 0; n < a.length; n++) sum += a[n] * b[n];
  return sum;
}

/** Its largest number 1, in f16. */
function scaled(column: Float64Array): Float64Array {
  const most = column.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  return most > 0 ? column.map((value) => f16ToF32(f32ToF16(value / most))) : column;
}

/** Orthogonal columns whose largest numbers are 1, in f16. */
function straightened([x, y]: Columns): Columns {
  const square = product(x, x);
  const share = square > 0 ? product(x, y) / square : 0;
  return [scaled(x), scaled(y.map((value, n) => value - share * x[n]))];
}

/** The columns that, times `known`, come nearest to a matrix; `at` reads it: its first index is that of the result. */
function solve([x, y]: Columns, count: number, at: (index: number, other: number) => number): Columns {
  const [xx, xy, yy] = [product(x, x), product(x, y), product(y, y)];
  const determinant = xx * yy - xy * xy;
  const found: Columns = [new Float64Array(count), new Float64Array(count)];
  for (let index = 0; index < count; index++) {
    let [p, q] = [0, 0];
    for (let other = 0; other < x.length; other++) {
      p += at(index, other) * x[other];
      q += at(index, other) * y[other];
    }
    if (determinant > 1e-3 * xx * yy) {
      found[0][index] = (p * yy - q * xy) / determinant;
      found[1][index] = (q * xx - p * xy) / determinant;
    } else found[0][index] = xx > 0 ? p / xx : 0;
  }
  return found;
}

function signs(count: number, bit: number): Float64Array {
  return Float64Array.from({ length: count }, (_, dim) => ((Math.imul(dim + 1, 2654435761) >>> bit) & 1 ? 1 : -1));
}

function half(value: number): number {
  return f32ToF16(Math.min(Math.max(value, -65504), 65504));
}

function words([x, y]: Columns): Uint32Array {
  return Uint32Array.from(x, (value, n) => (half(value) | (half(y[n]) << 16)) >>> 0);
}

/** Words of a kv head's page that repair `quantized`, both [pageTokens, headDim]: of tokens, then of dimensions. */
export function repairWords({ headDim, pageTokens }: KvLayout, data: Float32Array, quantized: Float32Array): Uint32Array {
  const lost = data.map((value, index) => (Number.isFinite(value - quantized[index]) ? value - quantized[index] : 0));
  const ofToken = (token: number, dim: number): number => lost[token * headDim + dim];
  const ofDim = (dim: number, token: number): number => lost[token * headDim + dim];
  let dims: Columns = [signs(headDim, 31), signs(headDim, 20)];
  let tokens: Columns = dims;
  for (let turn = 0; turn < repairTurns; turn++) {
    if (turn % 2 === 1) dims = solve(straightened(tokens), headDim, ofDim);
    else {
      dims = straightened(dims);
      tokens = solve(dims, pageTokens, ofToken);
    }
  }
  const found = new Uint32Array(pageTokens + headDim);
  found.set(words(tokens));
  found.set(words(dims), pageTokens);
  return found;
}

/** Adds what the words say to a page, in place. */
export function addRepair({ headDim, pageTokens }: KvLayout, data: Float32Array, repair: Uint32Array): void {
  for (let index = 0; index < data.length; index++) {
    const [token, dim] = [repair[Math.floor(index / headDim)], repair[pageTokens + (index % headDim)]];
    const more = f16ToF32(token & 0xffff) * f16ToF32(dim & 0xffff) + f16ToF32(token >>> 16) * f16ToF32(dim >>> 16);
    data[index] = Math.fround(data[index] + more);
  }
}
