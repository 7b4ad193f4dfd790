// Matrix products with a weight in any format: gemv.ts for few activation rows, gemm.ts for many, skinny.ts between them, in the order that
// product_order.ts foretells.

import { rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import { gemmVariants } from "./gemm.ts";
import { gemvVariants } from "./gemv.ts";
import { lutVariants } from "./gemv_lut.ts";
import type { InputSpec, Kernel, KernelTarget, OutputSpec, Variant } from "./kernel.ts";
import { bestOf, geometryOf, type LinearAttributes, type RangesAttributes, weightRows } from "./matrix.ts";
import { type Family, productOrder } from "./product_order.ts";
import { quantizedSpecs } from "./codes.ts";
import { skinnyVariants } from "./skinny.ts";
import { supports } from "./target.ts";
import { streamedBytes } from "./work.ts";

export type { LinearAttributes } from "./matrix.ts";

const families: Readonly<Record<Family, (attributes: LinearAttributes, target: KernelTarget) => readonly Variant[]>> = {
  gemv: gemvVariants,
  skinny: skinnyVariants,
  gemm: gemmVariants,
};

function variants(attributes: LinearAttributes, target: KernelTarget): readonly Variant[] {
  if (!supports(target) || (target.precision === "int8") !== (attributes.activations === "int8")) return [];
  // What happens to activations, a gate, and the best are for matrix-vector products alone.
  if (attributes.norm || attributes.pair || attributes.merge || attributes.best) return gemvVariants(attributes, target);
  const products = productOrder(geometryOf(attributes), target).flatMap((family) => families[family](attributes, target));
  return [...products, ...lutVariants(attributes, target)];
}

/** Partials as attention_decode leaves them: [numHeads][splits][max, sum, 0, 0, headDim sums] for each row. */
function partialsSpec({ numHeads, headDim, splits }: RangesAttributes): InputSpec {
  return {
    rows: "rows",
    cols: rowStride(numHeads * splits * (headDim + 4)),
    type: "f32",
    fill: (rng, _, col) => {
      const part = col % (headDim + 4);
      if (part === 1) return 1 + 20 * rng.unit();
      return part === 0 ? 5 * rng.normal() : rng.normal();
    },
  };
}

function activationSpecs({ over, k, activations, merge }: LinearAttributes): readonly InputSpec[] {
  if (merge) return [partialsSpec(merge)];
  if (activations !== "int8") return [{ rows: over, cols: k, type: "act" }];
  const [packed, scales] = quantizedSpecs({ over, cols: k });
  return [
    { ...packed, fill: (rng) => rng.below(0xffffffff) },
    { ...scales, fill: (rng) => (rng.unit() + 0.1) / 64 },
  ];
}

function inputSpecs(attributes: LinearAttributes): readonly InputSpec[] {
  const { residual, over, outCols } = attributes;
  const added: readonly InputSpec[] = residual ? [{ rows: over, cols: outCols, type: "act" }] : [];
  return [...activationSpecs(attributes), ...added];
}

function vectorLengths(attributes: LinearAttributes): readonly number[] {
  return [...(attributes.norm ? [attributes.k] : []), ...(attributes.bias ? [weightRows(attributes)] : [])];
}

function ownColumns(attributes: LinearAttributes): LinearAttributes {
  return { ...attributes, outCols: attributes.n };
}

/** Multiply-adds of a row beside those of the product. */
function moreMacs({ n, k, norm, residual, pair, merge }: LinearAttributes): number {
  return (norm ? 2 * k : 0) + (residual ? n : 0) + (pair ? n : 0) + (merge ? merge.splits * k : 0);
}

/**
 * y[t, outStart + i] = sum_k x[t, k] w[i, k] (+ bias[i]), i < n; x [rows, k], weight [n, k], y [rows, outCols].
 * The part that ends at outCols also zeroes the padding of y. With int8 activations the inputs are the outputs of `quantize`.
 * What else one dispatch may do is said at LinearAttributes: before it `norm` or `merge`, after it `pair`, `residual` and `best`.
 */
export const linear: Kernel<LinearAttributes> = {
  name: "linear",
  outputs: ({ over, outCols, out, best }) => {
    const kept: readonly OutputSpec[] = best ? [{ rows: over, cols: ceilDiv(outCols, bestOf), type: "f32" }] : [];
    return [{ rows: over, cols: outCols, type: out }, ...kept];
  },
  variants,
  operands: (attributes) => ({
    inputs: inputSpecs(attributes),
    weights: [{ format: attributes.format, rows: weightRows(attributes), cols: attributes.k }],
    ...((attributes.bias || attributes.norm) && { vectors: vectorLengths(attributes) }),
  }),
  narrow: (attributes, rows) => {
    const { n, outStart, pair } = attributes;
    const narrow = Math.min(n, rows);
    return {
      // Of a pair, the first rows of both halves.
      attributes: { ...attributes, n: narrow, outStart: 0, outCols: narrow, ...(pair && { pair: { ...pair, start: narrow } }) },
      weightRow: (col) => (col >= outStart && col < outStart + n ? col - outStart : undefined),
    };
  },
  work: (attributes, step) => ({
    // A part of a split tensor writes its own columns.
    bytes: streamedBytes(linear.operands(ownColumns(attributes)), linear.outputs(ownColumns(attributes)), step),
    macs: step[attributes.over] * (weightRows(attributes) * attributes.k + moreMacs(attributes)),
  }),
};
