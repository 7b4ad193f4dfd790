// The kernel calls that a `linear` node becomes, as data: one product for each run of weights of one type, split by rows where a run is
// over the binding limit. Passes ask here whether the target has kernels for a node; lowering makes calls of it.

import { assert } from "../base/errors.ts";
import { rowGroupSize } from "../base/layout.ts";
import type { WeightFormat } from "../formats/format.ts";
import { linear } from "../kernels/linear.ts";
import type { LinearAttributes } from "../kernels/matrix.ts";
import { rowTiers } from "../kernels/product_order.ts";
import { type StackPart, stackStarts, type VectorRange, type WeightRange } from "./call.ts";
import type { LinearNode, LinearWeight } from "./ir.ts";
import { placedBytes, splitRows } from "./layout.ts";
import type { LowerOptions } from "./lowering.ts";
import { formatName } from "./tiers.ts";

export interface Product {
  readonly attributes: LinearAttributes;
  readonly range: WeightRange;
  readonly vectors: readonly VectorRange[];
}

/** Columns of the output of weights side by side. */
export function stackedCols(weights: readonly LinearWeight[]): number {
  return stackStarts(weights.map(({ weight }) => ({ rows: weight.shape[0] }))).end;
}

/** Weights of one type that follow each other in a stack. */
interface Run {
  readonly weights: readonly LinearWeight[];
  readonly format: WeightFormat;
  /** First column, and one past the last: up to the next run, so that zeros lie between them. */
  readonly start: number;
  readonly end: number;
}

/** @returns no product where weights cannot be stacked: a part over the binding limit that ends inside a row group, other than the last */
export function productsOf(node: LinearNode, options: LowerOptions): readonly Product[] {
  const runs = runsOf(node.weights, options);
  const { maxBindingBytes } = options.target.caps;
  const products: Product[] = [];
  for (const run of runs) {
    const { format, start, end } = run;
    const [, k] = run.weights[0].weight.shape;
    const whole = placedBytes(format, end - start, k) <= maxBindingBytes;
    if (whole) products.push(product(node, run, options));
    else if (run.weights.slice(0, run === runs.at(-1) ? -1 : undefined).some(({ weight }) => weight.shape[0] % rowGroupSize > 0)) return [];
    else products.push(...splitRun(node, run, options));
  }
  return products;
}

/** Whether the target has kernels for all products of a node, for any number of rows. */
export function hasKernels(node: LinearNode, options: LowerOptions): boolean {
  const { target, answers = new Map<string, boolean>() } = options;
  const products = productsOf(node, options);
  if (products.length === 0 || (node.pair && products.length > 1)) return false;
  const targets = rowTiers(target).map((maxRows) => ({ ...target, maxRows }));
  return products.every(({ attributes }) => {
    const question = `${target.maxRows} ${JSON.stringify(attributes, formatName)}`;
    const answer = answers.get(question) ?? targets.every((tier) => linear.variants(attributes, tier).length > 0);
    answers.set(question, answer);
    return answer;
  });
}

function runsOf(weights: readonly LinearWeight[], { formats }: LowerOptions): readonly Run[] {
  const { starts, end } = stackStarts(weights.map(({ weight }) => ({ rows: weight.shape[0] })));
  const firsts = weights.flatMap(({ weight }, index) => (index > 0 && weights[index - 1].weight.type === weight.type ? [] : [index]));
  return firsts.map((first, index) => {
    const next = firsts[index + 1];
    const format = formats.get(weights[first].weight.type);
    assert(format, `no weight format ${weights[first].weight.type}`);
    return { weights: weights.slice(first, next), format, start: starts[first], end: next === undefined ? end : starts[next] };
  });
}

/** What all products of a node have in common. */
function shared(
  { input, norm, merge, residual, pair, best, output }: LinearNode,
  { target }: LowerOptions,
): Pick<LinearAttributes, "over" | "out" | "activations" | "norm" | "merge" | "residual" | "best"> {
  assert(output.type !== "u32", "a linear makes numbers");
  assert(!pair || output.rows === input.rows, "a gated unit keeps its rows");
  return {
    over: output.rows,
    out: output.type,
    activations: target.precision === "int8" ? "int8" : "float",
    ...(norm && { norm: { eps: norm.eps } }),
    ...(merge && { merge }),
    ...(residual && { residual: true }),
    ...(best && { best: true }),
  };
}

/** A run as one product. */
function product(node: LinearNode, { weights, format, start, end }: Run, options: LowerOptions): Product {
  const [{ weight }] = weights;
  const k = weight.shape[1];
  const rows = end - start;
  const parts = weights.map((one): StackPart => ({ tensor: one.weight.name, rows: one.weight.shape[0] }));
  const stacked = parts.length > 1 || parts[0].rows !== rows;
  const range = { tensor: weight.name, ggufType: weight.type, cols: k, rowStart: 0, rows, ...(stacked && { stack: parts }) };
  const bias = biasOf(weights, rows);
  const { pair, output } = node;
  const upStart = pair && stackStarts(parts).starts[1];
  const place =
    pair && upStart !== undefined
      ? { n: output.cols, outStart: 0, outCols: output.cols, pair: { activation: pair, start: upStart } }
      : { n: rows, outStart: start, outCols: output.cols };
  const attributes = { format, k, ...place, bias: bias !== undefined, ...shared(node, options) };
  return { attributes, range, vectors: [...normVector(node), ...(bias ? [bias] : [])] };
}

/** The weights of a run one by one, by rows. */
function splitRun(node: LinearNode, { weights, format, start }: Run, options: LowerOptions): Product[] {
  const { starts } = stackStarts(weights.map(({ weight }) => ({ rows: weight.shape[0] })));
  return weights.flatMap(({ weight, bias }, index) => {
    const [n, k] = weight.shape;
    const splits = splitRows({ format, rows: n, cols: k, maxBindingBytes: options.target.caps.maxBindingBytes });
    return splits.map(([rowStart, rowEnd]): Product => {
      const rows = rowEnd - rowStart;
      const outStart = start + starts[index] + rowStart;
      const attributes = { format, k, n: rows, outStart, outCols: node.output.cols, bias: bias !== undefined, ...shared(node, options) };
      const range = { tensor: weight.name, ggufType: weight.type, cols: k, rowStart, rows };
      const vectors = bias ? [{ tensor: bias.name, length: n, start: rowStart }] : [];
      return { attributes, range, vectors: [...normVector(node), ...vectors] };
    });
  });
}

function normVector({ norm }: LinearNode): VectorRange[] {
  return norm ? [{ tensor: norm.weight.name, length: norm.weight.shape[0] }] : [];
}

/** The biases of a run as one vector, where any has one. */
function biasOf(weights: readonly LinearWeight[], rows: number): VectorRange | undefined {
  const first = weights.find(({ bias }) => bias)?.bias;
  if (!first) return undefined;
  if (weights.length === 1 && weights[0].weight.shape[0] === rows) return { tensor: first.name, length: rows };
  const stack = weights.map(({ weight, bias }): StackPart => ({ tensor: bias?.name, rows: weight.shape[0] }));
  return { tensor: first.name, length: rows, stack };
}
