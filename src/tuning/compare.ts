// Compares what a kernel wrote with its reference: the numbers, the padding, and everything that it must not touch.

import { f16ToF32 } from "../base/dtype.ts";
import { type CpuTensor, type KernelTarget, operandStride, type OutputSpec } from "../kernels/kernel.ts";
import type { Found } from "./execute.ts";
import { elementType, garbage } from "./operands.ts";

/** The bound of the kernels' contract. */
export function nmseBound(target: KernelTarget): number {
  return target.precision === "f32" ? 1e-6 : 5e-4;
}

/** What was found of one output. */
export interface Comparison {
  /** Normalised mean squared error; infinite when a number is NaN or infinite. */
  readonly nmse: number;
  /** Broken promises: a padding tail not zero, a word off, a write outside. */
  readonly problems: readonly string[];
}

/** An element that the kernel leaves as it was. */
const leftAlone = -1;

/** The reference of an output. */
export interface Expected {
  readonly tensor: CpuTensor;
  /** Where the value of [row, col] is in `tensor.data`; NaN there means left alone. */
  index(row: number, col: number): number;
}

/** A reference of the output's own shape. */
export function expectAll(tensor: CpuTensor): Expected {
  return { tensor, index: (row, col) => row * tensor.cols + col };
}

/** An output as it was read back; it has a row more than the step, which nobody may write. */
export interface Written {
  readonly spec: OutputSpec;
  readonly rows: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const mostProblems = 8;

/** Compares an output with the reference; padding is zero unless the reference leaves the row's end alone. */
export function compareRows({ spec, rows, bytes }: Written, want: Expected, target: KernelTarget): Comparison {
  const stride = operandStride(spec);
  const half = elementType(spec.type, target) === "f16";
  const floats = half
    ? Float32Array.from(new Uint16Array(bytes.buffer).subarray(0, (rows + 1) * stride), f16ToF32)
    : new Float32Array(bytes.buffer);
  const words = new Uint32Array(bytes.buffer);
  const { data } = want.tensor;
  const wantWords = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const exact = spec.exact ?? ((): boolean => spec.type === "u32");
  const problems: string[] = [];
  const note = (problem: string): void => {
    if (problems.length < mostProblems) problems.push(problem);
  };
  let [error, norm] = [0, 0];
  for (let row = 0; row <= rows; row++) {
    for (let col = 0; col < stride; col++) {
      const at = row * stride + col;
      const index = row === rows ? leftAlone : want.index(row, Math.min(col, spec.cols - 1));
      const leaves = spec.leaves === true && index >= 0 && Number.isNaN(data[index]);
      if (row < rows && col < spec.cols && exact(col) && !leaves) {
        if (!sameWord(words[at], wantWords[index], spec)) note(`[${row}, ${col}] is word ${words[at]}, not ${wantWords[index]}`);
        continue;
      }
      const untouched = index === leftAlone || leaves || (index >= 0 && Number.isNaN(data[index]) && !exact(col));
      if (untouched || col >= spec.cols) {
        const value = untouched ? garbage : 0;
        if (floats[at] !== value) note(`[${row}, ${col}] of [${rows}, ${spec.cols}] is ${floats[at]}, not ${value}`);
        continue;
      }
      error += (floats[at] - data[index]) ** 2;
      norm += data[index] ** 2;
    }
  }
  return { nmse: normalised(error, norm), problems };
}

function sameWord(word: number, want: number, { codes }: OutputSpec): boolean {
  if (word === want || codes !== true) return word === want;
  return [0, 8, 16, 24].every((shift) => Math.abs(((word << (24 - shift)) >> 24) - ((want << (24 - shift)) >> 24)) <= 1);
}

/** Compares all of the cache. */
export function compareFlat(name: string, got: Float32Array, want: Float32Array): Comparison {
  let [error, norm] = [0, 0];
  for (let index = 0; index < want.length; index++) {
    error += (got[index] - want[index]) ** 2;
    norm += want[index] ** 2;
  }
  const first = got.findIndex((value, index) => Math.abs(value - want[index]) > 1e-2);
  return { nmse: normalised(error, norm), problems: first < 0 ? [] : [`${name}[${first}] is ${got[first]}, not ${want[first]}`] };
}

/** Compares all words of a buffer. */
export function compareWords(name: string, got: Uint8Array<ArrayBuffer>, want: Uint32Array): Comparison {
  const words = new Uint32Array(got.buffer, got.byteOffset, want.length);
  const first = want.findIndex((word, index) => words[index] !== word);
  return { nmse: 0, problems: first < 0 ? [] : [`${name}[${first}] is ${words[first]}, not ${want[first]}`] };
}

/** Compares all words of the operands that were written, of those that are wanted. */
export function compareAll(found: Found, wanted: Readonly<Record<string, Uint32Array>>): Comparison[] {
  return Object.entries(wanted).flatMap(([name, want]) => {
    const got = found.get(name);
    return got ? [compareWords(name, got, want)] : [];
  });
}

/** A kernel that writes the step state gives all its words, header and rows. Nothing behind them may change. */
export function compareState(before: Uint8Array<ArrayBuffer>, after: Uint8Array<ArrayBuffer>, want: CpuTensor): Comparison {
  const wanted = new Uint32Array(before.slice().buffer);
  wanted.set(new Uint32Array(want.data.buffer, want.data.byteOffset, want.data.length));
  return compareWords("state", after, wanted);
}

/** NMSE of sums of squares; infinite when a result was no number. */
export function normalised(error: number, norm: number): number {
  if (!Number.isFinite(error)) return Number.POSITIVE_INFINITY;
  return error === 0 ? 0 : error / Math.max(norm, Number.MIN_VALUE);
}
