// An addition to what a product makes becomes the product's own.

import type { Graph, LinearNode, Node, Value } from "../ir.ts";
import type { LowerOptions } from "../lowering.ts";
import { hasKernels } from "../products.ts";
import { type Pass, type Reads, readsIn, replaceNodes } from "./pass.ts";

type AddNode = Extract<Node, { op: "add" }>;

/** The product that adds `other`, when that is made before it. */
function adding(node: AddNode, [product, other]: readonly [Value, Value], graph: Graph, reads: Reads): LinearNode | undefined {
  const linear = reads.maker(product);
  if (linear.op !== "linear" || linear.residual || linear.pair || reads.onlyReader(product) !== node) return undefined;
  if (graph.nodes.indexOf(reads.maker(other)) > graph.nodes.indexOf(linear) || other.rows !== product.rows) return undefined;
  return { ...linear, residual: other, output: node.output };
}

export const residual: Pass = {
  name: "residual",
  apply(graph: Graph, options: LowerOptions) {
    const reads = readsIn(graph);
    const replaced = new Map<Node, readonly Node[]>();
    for (const node of graph.nodes) {
      if (node.op !== "add") continue;
      const { left, right } = node;
      for (const pair of [
        [right, left],
        [left, right],
      ] as const) {
        const linear = adding(node, pair, graph, reads);
        const maker = reads.maker(pair[0]);
        if (!linear || replaced.has(maker) || !hasKernels(linear, options)) continue;
        replaced.set(maker, [linear]);
        replaced.set(node, []);
        break;
      }
    }
    return replaceNodes(graph, replaced);
  },
};
