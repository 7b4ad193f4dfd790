// What products and embeddings are held against: weights of every edge kind in one matrix, results in float64, and how far from them a
// kernel's may be. Runs nothing.

import { f16ToF32 } from "../base/dtype.ts";
import { assert } from "../base/errors.ts";
import type { Rng } from "../base/rng.ts";
import { fileBytes, packMatrix, type WeightFormat } from "../formats/format.ts";
import { type CpuTensor, operandStride, type OutputSpec } from "../kernels/kernel.ts";
import { normalised } from "../tuning/compare.ts";
import { garbage } from "../tuning/operands.ts";
import { edgeBlocks, type EdgeKind, edgeKinds } from "./edge_blocks.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type WeightKind = "sample" | EdgeKind;

export const weightKinds: readonly WeightKind[] = ["sample", ...edgeKinds];

/** A matrix whose rows are of the kinds in turn. */
export interface MatrixShape {
  readonly format: WeightFormat;
  /** Rows. */
  readonly n: number;
  readonly k: number;
  /** Index of the first row's kind. */
  readonly kind: number;
}

/** Index of a row's kind. */
export function kindOf({ kind }: MatrixShape, row: number): number {
  return (row + kind) % weightKinds.length;
}

/** Weights as numbers, [n, k], and as the GPU has them. */
export function makeMatrix(shape: MatrixShape, rng: Rng): { readonly values: CpuTensor; readonly packed: Bytes } {
  const { format, n, k } = shape;
  const rowBytes = fileBytes(format, k);
  const file = new Uint8Array(n * rowBytes);
  for (const [index, kind] of weightKinds.entries()) {
    const rows = Array.from({ length: n }, (_, row) => row).filter((row) => kindOf(shape, row) === index);
    const blocks = (rows.length * k) / format.blockSize;
    const bytes = kind === "sample" ? format.sample(rng, blocks) : edgeBlocks(format, kind, blocks);
    assert(bytes.length === rows.length * rowBytes, `${format.name} made ${kind} weights of a wrong size`);
    for (const [place, row] of rows.entries()) file.set(bytes.subarray(place * rowBytes, (place + 1) * rowBytes), row * rowBytes);
  }
  const data = new Float32Array(n * k);
  format.dequantize(file, data);
  return { values: { rows: n, cols: k, data }, packed: packMatrix(format, file, { rows: n, cols: k }) };
}

/** What results should be, [rows, cols]. */
export interface Reference {
  readonly cols: number;
  readonly values: Float64Array;
  /** Sums of the squares of what each result is the sum of. */
  readonly energies: Float64Array;
}

/** x [rows, k] times w [n, k], plus a bias of n, in float64. */
export function productsOf(x: CpuTensor, w: CpuTensor, bias: Float32Array | undefined): Reference {
  const values = new Float64Array(x.rows * w.rows);
  const energies = new Float64Array(x.rows * w.rows);
  for (let col = 0; col < w.rows; col++) {
    const first = col * w.cols;
    for (let row = 0; row < x.rows; row++) {
      let [sum, energy] = [0, 0];
      for (let i = 0, at = row * x.cols; i < w.cols; i++, at++) {
        const product = x.data[at] * w.data[first + i];
        sum += product;
        energy += product * product;
      }
      values[row * w.rows + col] = sum + (bias?.[col] ?? 0);
      energies[row * w.rows + col] = energy;
    }
  }
  return { cols: w.rows, values, energies };
}

/** Largest errors of an output. */
export interface ProductErrors {
  /** Normalised mean squared error over the results of a kind of weights; infinite when one is no number. */
  readonly nmse: number;
  /** The same against activations that were not quantized; 0 outside the int8 class. */
  readonly quantized: number;
  /** Broken promises. At most 8. */
  readonly problems: readonly string[];
}

/** The bounds of every product. */
export const mostError = { nmse: 1e-6, quantized: 5e-4 } as const;

const largestHalf = 65504;
/** The last place of subnormal f16 numbers: adapters may cut results to it. */
const halfPlace = 2 ** -24;

/** An output and what it should be. */
export interface ProductResult {
  readonly spec: OutputSpec;
  /** Whether `bytes` are f16 numbers. */
  readonly half: boolean;
  /** The output with all that follows, which nothing may touch. */
  readonly bytes: Bytes;
  /** Rows of the step. */
  readonly rows: number;
  readonly reference: Reference;
  /** From activations before they were quantized. */
  readonly unquantized: Reference | undefined;
  /** Index of the kind of weights that a result is made of. */
  readonly kind: (row: number, col: number) => number;
  /** What results of subnormal weights may be off, because adapters may flush those. */
  readonly flushed: number;
}

/** Sums of squares. */
interface Sums {
  error: number;
  norm: number;
  energy: number;
}

function emptySums(): readonly Sums[] {
  return weightKinds.map(() => ({ error: 0, norm: 0, energy: 0 }));
}

export function productErrors(result: ProductResult): ProductErrors {
  const { spec, half, bytes, rows, reference, unquantized, kind, flushed } = result;
  const floats = half ? Float32Array.from(new Uint16Array(bytes.buffer), f16ToF32) : new Float32Array(bytes.buffer);
  const stride = operandStride(spec);
  const [exact, quantized] = [emptySums(), emptySums()];
  const problems: string[] = [];
  const add = (sums: Sums, value: number, { wanted, energy, allowed }: { wanted: number; energy: number; allowed: number }): void => {
    const want = half ? Math.max(-largestHalf, Math.min(largestHalf, wanted)) : wanted;
    const off = Math.abs(value - want);
    sums.error += off <= allowed ? 0 : off ** 2;
    sums.norm += want ** 2;
    sums.energy += energy;
  };
  for (let at = 0; at < floats.length; at++) {
    const [row, col] = [Math.floor(at / stride), at % stride];
    const value = floats[at];
    if (row >= rows || col >= spec.cols) {
      const wanted = row >= rows ? garbage : 0;
      if (value !== wanted && problems.length < 8) problems.push(`[${row}, ${col}] is ${value}, not ${wanted}`);
      continue;
    }
    const index = row * reference.cols + col;
    const which = kind(row, col);
    const allowed = (weightKinds[which] === "denormal" ? flushed : 0) + (half && weightKinds[which] !== "zero" ? halfPlace : 0);
    add(exact[which], value, { wanted: reference.values[index], energy: reference.energies[index], allowed });
    if (unquantized) add(quantized[which], value, { wanted: unquantized.values[index], energy: unquantized.energies[index], allowed });
  }
  return {
    nmse: Math.max(...exact.map(({ error, norm }) => normalised(error, norm))),
    // A few results may happen to be near zero: then the terms say how large an error of theirs is.
    quantized: Math.max(...quantized.map(({ error, norm, energy }) => normalised(error, Math.max(norm, energy)))),
    problems,
  };
}
