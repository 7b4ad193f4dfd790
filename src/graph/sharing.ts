// Makes products that differ in their shapes alone run one pipeline, which reads the shapes from a uniform. Only where a model would have
// too many pipelines: files whose weight types change from layer to layer. A shape that is a constant compiles to better code.

import { linear } from "../kernels/linear.ts";
import type { LinearAttributes } from "../kernels/matrix.ts";
import { kernelCall, type KernelCall } from "./call.ts";
import { countPipelines, type KnownTexts, rowsOver, type TieredProgram, type TierLimits } from "./tiers.ts";

/** Calls of one program that could share a pipeline. */
interface Group {
  readonly calls: ReadonlyMap<KernelCall, LinearAttributes>;
  readonly weights: number;
}

/** What those that share have in common beside the type and what happens before and after the product. */
interface Likeness {
  /** Rows of one length: innermost loops keep their constants. */
  readonly inputs: boolean;
  /** A bias, or none. */
  readonly bias: boolean;
}

const likenesses: readonly Likeness[] = [
  { inputs: true, bias: true },
  { inputs: false, bias: true },
  { inputs: false, bias: false },
];

/** The programs with as many products sharing as it takes for `most` pipelines: the most alike first, of those the ones with few weights. */
export function shareProducts<P extends TieredProgram>(programs: readonly P[], limits: TierLimits, most: number): readonly P[] {
  const known: KnownTexts = new Map();
  let shared = programs;
  for (const likeness of likenesses) {
    const groups = programs.flatMap((_, index) => groupsOf(shared[index], likeness).map((group) => ({ group, index })));
    for (const { group, index } of groups.toSorted((a, b) => a.group.weights - b.group.weights)) {
      if (countPipelines(shared, limits, known) <= most) return shared;
      shared = shared.map((program, at) => (at === index ? { ...program, calls: withShared(program.calls, group) } : program));
    }
  }
  return shared;
}

/** Attributes of a product; undefined for other calls. */
export function productAttributes(call: KernelCall): LinearAttributes | undefined {
  return call.visit((_kernel, attributes) => (isLinear(attributes) ? attributes : undefined));
}

function isLinear<A>(attributes: A): attributes is A & LinearAttributes {
  return typeof attributes === "object" && attributes !== null && "outStart" in attributes;
}

/** Groups of the products of a program's body that have several shapes. */
function groupsOf({ calls }: TieredProgram, likeness: Likeness): readonly Group[] {
  const found = new Map<string, Map<KernelCall, LinearAttributes>>();
  for (const call of calls) {
    const attributes = productAttributes(call);
    // The head has a type of its own outputs.
    if (!attributes || rowsOver(call) === "outputRows") continue;
    const key = kindOf(attributes, likeness);
    const group = found.get(key) ?? new Map<KernelCall, LinearAttributes>();
    found.set(key, group.set(call, attributes));
  }
  const several = [...found.values()].filter((group) => new Set([...group.values()].map(shapeOf)).size > 1);
  return several.map((group) => ({ calls: group, weights: [...group.values()].reduce((sum, { n, k }) => sum + n * k, 0) }));
}

/** All that a text says beside shapes. */
function kindOf(attributes: LinearAttributes, likeness: Likeness): string {
  const { format, k, bias, n: _n, outStart: _start, outCols: _cols, shared: _shared, pair, ...rest } = attributes;
  const alike = [likeness.inputs && k, likeness.bias && bias];
  return JSON.stringify([format.name, pair?.activation, alike, Object.entries(rest).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

function shapeOf({ k, n, outStart, outCols, bias, pair }: LinearAttributes): string {
  return [k, n, outStart, outCols, bias, pair?.start].join();
}

function withShared(calls: readonly KernelCall[], { calls: group }: Group): readonly KernelCall[] {
  const all = [...group.values()];
  // Lanes are laid out for the largest, which takes most of the time.
  const { n, k } = all.reduce((most, one) => (one.n * one.k > most.n * most.k ? one : most));
  const shared = {
    n,
    ...(all.some((one) => one.k !== k) && { k }),
    ...(new Set(all.map(({ bias }) => bias)).size > 1 && { anyBias: true }),
  };
  return calls.map((call) => {
    const attributes = group.get(call);
    return attributes ? kernelCall(linear, { ...attributes, shared }, call, call.name) : call;
  });
}
