// Products of few weight rows with a long K: too few workgroups to fill a GPU, so parts of K are summed side by side into partials,
// which linear_merge.ts adds up. Decided when a model is lowered, because the partials are a value of their own.

import { blockWidth, rowGroupSize, rowStride } from "../base/layout.ts";
import { ceilDiv, clamp } from "../base/math.ts";
import type { WeightFormat } from "../formats/format.ts";
import { dequantizeRows } from "./codes.ts";
import { gemvColumns, gemvVariants } from "./gemv.ts";
import type { CpuArgs, CpuTensor, Kernel, KernelTarget, Variant } from "./kernel.ts";
import { linear, type LinearAttributes } from "./linear.ts";
import { supports } from "./target.ts";
import { streamedBytes } from "./work.ts";

export interface LinearSplitAttributes {
  readonly format: WeightFormat;
  /** Inputs of each row. */
  readonly k: number;
  /** Weight rows, a multiple of 4. */
  readonly n: number;
  /** Parts of K, each of whole blocks of 32. */
  readonly splits: number;
  readonly over: "rows" | "outputRows";
  readonly activations?: "float" | "int8";
}

/** Workgroups that fill a GPU: four for each core of one with 64 of them. WebGPU does not tell how many there are. */
const enough = 256;

/** Blocks that the lanes of a workgroup, 256 over 8 rows, take at once. */
const blocksAtOnce = 32;

/**
 * Rounds of loads that splitting has to save: a round waits some 0.7 us for memory, and one more dispatch costs a GPU 1.5 to 2 us
 * (291 instead of 411 of them made a token 0.18 ms shorter on an RTX 5090, web-xpu-ops).
 */
const leastSaved = 3;

/** Parts of K worth summing side by side for a product in decode; 1: none. */
export function chooseLinearSplits({ n, k }: { readonly n: number; readonly k: number }, { deviceClass, maxRows }: KernelTarget): number {
  if (deviceClass === "cpu" || maxRows > gemvColumns || n % 4 !== 0) return 1;
  const rounds = ceilDiv(k, blockWidth * blocksAtOnce);
  const splits = clamp(ceilDiv(enough, ceilDiv(n, rowGroupSize)), 1, rounds);
  return rounds - ceilDiv(rounds, splits) >= leastSaved ? splits : 1;
}

/** The product that writes the partials, as `linear` has it. */
function productOf(attributes: LinearSplitAttributes): LinearAttributes {
  return { ...attributes, bias: false, outStart: 0, outCols: attributes.splits * attributes.n, out: "f32" };
}

function variants(attributes: LinearSplitAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target) || target.deviceClass === "cpu") return [];
  if ((target.precision === "int8") !== (attributes.activations === "int8")) return [];
  return gemvVariants(productOf(attributes), target).map((variant) => ({ ...variant, key: variant.key.replace("gemv/", "gemv_split/") }));
}

function reference({ k, n, splits, activations }: LinearSplitAttributes, args: CpuArgs): readonly CpuTensor[] {
  const x = activations === "int8" ? dequantizeRows(args.inputs, k) : args.inputs[0];
  const [w] = args.weights;
  const part = blockWidth * ceilDiv(rowStride(k) / blockWidth, splits);
  const data = new Float32Array(x.rows * splits * n);
  for (let row = 0; row < x.rows; row++) {
    for (let split = 0; split < splits; split++) {
      for (let col = 0; col < n; col++) {
        let sum = 0;
        for (let i = split * part; i < Math.min(k, (split + 1) * part); i++) sum += x.data[row * k + i] * w.data[col * k + i];
        data[(row * splits + split) * n + col] = sum;
      }
    }
  }
  return [{ rows: x.rows, cols: splits * n, data }];
}

/** partials[t, s n + i] = sum of x[t, k] w[i, k] over part s of K; x [rows, k], weight [n, k], partials f32 [rows, splits n]. */
export const linearSplit: Kernel<LinearSplitAttributes> = {
  name: "linear_split",
  outputs: ({ over, n, splits }) => [{ rows: over, cols: splits * n, type: "f32" }],
  variants,
  reference,
  operands: (attributes) => linear.operands(productOf(attributes)),
  work: (attributes, step) => ({
    bytes: streamedBytes(linearSplit.operands(attributes), linearSplit.outputs(attributes), step),
    macs: step[attributes.over] * attributes.n * attributes.k,
  }),
};
