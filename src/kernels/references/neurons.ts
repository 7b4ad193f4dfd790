// What kernels over bundles of neurons should give, in float64.

import type { CpuArgs, CpuTensor } from "../kernel.ts";
import {
  listHeaderWords,
  type NeuronReportAttributes,
  type NeuronScoresAttributes,
  type NeuronUpAttributes,
  type SlotAttributes,
} from "../neurons.ts";
import { activate } from "./activate.ts";

/** The slots that a list names, and its threshold. */
function listOf({ tables: [list] }: CpuArgs): { readonly slots: readonly number[]; readonly threshold: number } {
  const words = new Uint32Array(list.buffer, list.byteOffset, list.length);
  return { slots: [...words.subarray(listHeaderWords, listHeaderWords + words[0])], threshold: list[1] };
}

/** Row `row` of a matrix times row `t` of x. */
function product(w: CpuTensor, row: number, x: CpuTensor, t: number): number {
  let sum = 0;
  for (let k = 0; k < x.cols; k++) sum += x.data[t * x.cols + k] * w.data[row * w.cols + k];
  return sum;
}

export function neuronUpReference({ neurons, slots, activation }: NeuronUpAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [x] = args.inputs;
  const [w] = args.weights;
  const list = listOf(args);
  const data = new Float32Array(x.rows * slots * neurons);
  for (let t = 0; t < x.rows; t++) {
    for (const [entry, slot] of list.slots.entries()) {
      for (let neuron = 0; neuron < neurons; neuron++) {
        const row = slot * 2 * neurons + neuron;
        const value = activate(activation, product(w, row, x, t)) * product(w, row + neurons, x, t);
        data[(t * slots + entry) * neurons + neuron] = Math.abs(value) < list.threshold ? 0 : value;
      }
    }
  }
  return [{ rows: x.rows, cols: slots * neurons, data }];
}

export function neuronDownReference({ hidden, neurons }: SlotAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [h] = args.inputs;
  const [w] = args.weights;
  const { slots } = listOf(args);
  const data = new Float32Array(h.rows * hidden);
  for (let t = 0; t < h.rows; t++) {
    for (let output = 0; output < hidden; output++) {
      let sum = 0;
      for (const [entry, slot] of slots.entries()) {
        const weights = (slot * 8 + (output % 8)) * w.cols + Math.floor(output / 8) * neurons;
        for (let neuron = 0; neuron < neurons; neuron++) {
          sum += w.data[weights + neuron] * h.data[t * h.cols + entry * neurons + neuron];
        }
      }
      data[t * hidden + output] = sum;
    }
  }
  return [{ rows: h.rows, cols: hidden, data }];
}

export function neuronReportReference(_: NeuronReportAttributes, { inputs: [h] }: CpuArgs): readonly CpuTensor[] {
  const words = new Uint32Array((h.rows * h.cols) / 32);
  for (const [index, value] of h.data.entries()) if (value !== 0) words[index >> 5] |= 1 << (index & 31);
  return [{ rows: h.rows, cols: h.cols / 32, data: new Float32Array(words.buffer) }];
}

export function neuronScoresReference({ neurons, bundles }: NeuronScoresAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [x] = args.inputs;
  const [w] = args.weights;
  const data = new Float32Array(x.rows * bundles);
  for (let t = 0; t < x.rows; t++) {
    for (let bundle = 0; bundle < bundles; bundle++) {
      const all = Array.from({ length: neurons }, (_, neuron) => product(w, bundle * neurons + neuron, x, t));
      data[t * bundles + bundle] = Math.max(...all);
    }
  }
  return [{ rows: x.rows, cols: bundles, data }];
}
