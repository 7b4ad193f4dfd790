// Runs a lowered graph on the kernels' CPU references: what the GPU program is compared with, value by value. Slow and plain.

import { assert } from "../base/errors.ts";
import type { CpuArgs, CpuKv, CpuTensor, StepRow } from "../kernels/kernel.ts";
import { referenceOf } from "../kernels/references/index.ts";
import { type KernelCall, type StackPart, stackStarts, type VectorRange, type WeightRange } from "./call.ts";

/** Weights and cache on the CPU. */
export interface InterpreterState {
  /** A tensor of the file in f32, a matrix row after row. */
  tensor(name: string): Float32Array;
  /** The cache of a layer; the references write into it. */
  kv(layer: number): CpuKv;
}

export interface InterpretStep {
  readonly rows: readonly StepRow[];
  /** Activation row of each output row. */
  readonly outputRows: readonly number[];
  /** See `stepRowWords`: how much further rows turn than their places say. */
  readonly shift?: number;
}

/** Every value of the step by id. */
export function interpret(calls: readonly KernelCall[], step: InterpretStep, state: InterpreterState): Map<number, CpuTensor> {
  const values = new Map<number, CpuTensor>();
  for (const call of calls) {
    const inputs = call.inputs.map((value) => {
      const tensor = values.get(value.id);
      assert(tensor, `${call.name} reads ${value.name} before it is made`);
      return tensor;
    });
    const args: CpuArgs = {
      inputs,
      weights: call.weights.map((range) => matrixOf(range, state)),
      vectors: call.vectors.map((range) => vectorOf(range, state)),
      tables: call.tables.map((table) => table.data),
      rows: step.rows,
      outputRows: step.outputRows,
      ...(step.shift !== undefined && { shift: step.shift }),
      ...(call.layer === undefined ? {} : { kv: state.kv(call.layer) }),
    };
    const results = call.visit((kernel, attributes) => referenceOf(kernel)(attributes, args));
    call.outputs.forEach((value, index) => values.set(value.id, merge(values.get(value.id), results[index])));
  }
  return values;
}

/** The rows of a range; of a stack with the zeros between its parts. */
function matrixOf({ tensor, rowStart, rows, cols, stack }: WeightRange, state: InterpreterState): CpuTensor {
  if (!stack) return { rows, cols, data: state.tensor(tensor).subarray(rowStart * cols, (rowStart + rows) * cols) };
  return { rows, cols, data: stacked(stack, rows, { cols, state }) };
}

function vectorOf({ tensor, length, start = 0, stack }: VectorRange, state: InterpreterState): Float32Array {
  return stack ? stacked(stack, length, { cols: 1, state }) : state.tensor(tensor).subarray(start);
}

function stacked(stack: readonly StackPart[], rows: number, { cols, state }: { cols: number; state: InterpreterState }): Float32Array {
  const data = new Float32Array(rows * cols);
  const { starts } = stackStarts(stack);
  for (const [index, part] of stack.entries()) if (part.tensor !== undefined) data.set(state.tensor(part.tensor), starts[index] * cols);
  return data;
}

/** A split call writes a part of its output and marks the rest with NaN: the earlier parts stay. */
function merge(earlier: CpuTensor | undefined, result: CpuTensor): CpuTensor {
  if (!earlier) return result;
  return { ...result, data: result.data.map((x, index) => (Number.isNaN(x) ? earlier.data[index] : x)) };
}

/** Where two runs of the same calls part: the first value, in execution order, that differs beyond `bound`. */
export interface Mismatch {
  readonly name: string;
  /** Normalised mean squared error of that value. */
  readonly nmse: number;
}

/** @param read  the other run's rows of a value, unpadded [rows, cols] */
export async function firstMismatch(
  calls: readonly KernelCall[],
  values: ReadonlyMap<number, CpuTensor>,
  read: (call: KernelCall, output: number) => Promise<Float32Array>,
  bound: number,
): Promise<Mismatch | undefined> {
  for (const [index, call] of calls.entries()) {
    for (const [output, value] of call.outputs.entries()) {
      const complete = !calls.slice(index + 1).some((later) => later.outputs.some((other) => other.id === value.id));
      const expected = values.get(value.id);
      if (!complete || !expected || value.type === "u32") continue;
      const error = nmse(await read(call, output), expected.data);
      if (!(error <= bound)) return { name: value.name, nmse: error };
    }
  }
  return undefined;
}

/** sum((a - b)^2) / sum(b^2); where b is NaN, a kernel leaves what was there, and anything may be. */
export function nmse(actual: Float32Array, expected: Float32Array): number {
  let error = 0;
  let power = 0;
  for (let i = 0; i < expected.length; i++) {
    if (Number.isNaN(expected[i])) continue;
    error += (actual[i] - expected[i]) ** 2;
    power += expected[i] ** 2;
  }
  return power === 0 ? error : error / power;
}
