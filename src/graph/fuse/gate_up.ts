// The two products before a gated linear unit as one stack of weights. In decode the unit itself goes into the product, where both weights are of
// one type and the target has a kernel for pairs of rows.

import { glu } from "../../kernels/glu.ts";
import { stackStarts } from "../call.ts";
import type { Graph, LinearNode, Node, Value } from "../ir.ts";
import type { LowerOptions } from "../lowering.ts";
import { hasKernels, stackedCols } from "../products.ts";
import { nextIds, type Pass, plainLinear, type Reads, readsIn, replaceNodes } from "./pass.ts";

type GluNode = Extract<Node, { op: "glu" }>;

/** What takes the place of the two products and the unit. */
function joined(node: GluNode, id: () => number, { reads, options }: { reads: Reads; options: LowerOptions }) {
  const gate = plainLinear(node.gate, node, reads);
  const up = plainLinear(node.up, node, reads);
  if (!gate || !up || gate === up || gate.input.id !== up.input.id) return undefined;
  const weights = [...gate.weights, ...up.weights];
  const { activation, output } = node;
  const upStart = stackStarts(weights.map(({ weight }) => ({ rows: weight.shape[0] }))).starts[1];
  const stacked: Value = { ...gate.output, id: id(), name: `${gate.output.name}_up`, cols: stackedCols(weights) };
  const linear: LinearNode = { op: "linear", input: gate.input, weights, output: stacked };
  const unit: Node = { op: "stacked_glu", input: stacked, upStart, activation, output };
  // Asked for in both phases, since one may not stack what the other does not.
  const kernels = glu.variants({ cols: output.cols, activation, stacked: { upStart } }, options.target);
  if (kernels.length === 0 || !hasKernels(linear, options)) return undefined;
  const pair: LinearNode = { ...linear, pair: activation, output };
  if (options.phase === "decode" && options.pairs !== false && hasKernels(pair, options)) return { gate, up, first: [pair], last: [] };
  return { gate, up, first: [linear], last: [unit] };
}

export const gateUp: Pass = {
  name: "gate_up",
  apply(graph: Graph, options: LowerOptions) {
    const reads = readsIn(graph);
    const id = nextIds(graph);
    const replaced = new Map<Node, readonly Node[]>();
    for (const node of graph.nodes) {
      const found = node.op === "glu" ? joined(node, id, { reads, options }) : undefined;
      if (!found) continue;
      replaced.set(found.gate, found.first);
      replaced.set(found.up, []);
      replaced.set(node, found.last);
    }
    return replaceNodes(graph, replaced);
  },
};
