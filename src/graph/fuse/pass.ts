// What a fusion pass is, and what passes share: who reads a value, and new lists of nodes. Passes work on plain data: they give a new
// graph and leave the old one alone.

import { assert } from "../../base/errors.ts";
import { type Graph, type LinearNode, type Node, readsOf, type Value } from "../ir.ts";
import type { LowerOptions } from "../lowering.ts";
import type { FusionName } from "./names.ts";

/** Joins nodes where a kernel does the work of several on the target, and where nobody else reads what is then never written. */
export interface Pass {
  readonly name: FusionName;
  apply(graph: Graph, options: LowerOptions): Graph;
}

/** What passes ask about the values of a graph. */
export interface Reads {
  /** The node that reads a value, when only one does and it is not the graph's result. */
  onlyReader(value: Value): Node | undefined;
  /** The node that makes a value. */
  maker(value: Value): Node;
}

export function readsIn({ nodes, logits }: Graph): Reads {
  const readers = new Map<number, Node[]>([[logits.id, []]]);
  const makers = new Map<number, Node>();
  for (const node of nodes) {
    makers.set(node.output.id, node);
    for (const { value } of readsOf(node)) {
      const known = readers.get(value.id) ?? [];
      known.push(node);
      readers.set(value.id, known);
    }
  }
  return {
    onlyReader: ({ id }) => (readers.get(id)?.length === 1 ? readers.get(id)?.[0] : undefined),
    maker: (value) => {
      const node = makers.get(value.id);
      assert(node, `nothing makes ${value.name}`);
      return node;
    },
  };
}

/** The plain product that makes a value, when `reader` alone reads that. */
export function plainLinear(value: Value, reader: Node, reads: Reads): LinearNode | undefined {
  const node = reads.maker(value);
  if (node.op !== "linear" || reads.onlyReader(value) !== reader) return undefined;
  return node.weights.length === 1 && !node.norm && !node.merge && !node.residual && !node.pair ? node : undefined;
}

/** The graph with some nodes replaced, or left out. */
export function replaceNodes(graph: Graph, replaced: ReadonlyMap<Node, readonly Node[]>): Graph {
  const change = (nodes: readonly Node[]): Node[] => nodes.flatMap((node) => replaced.get(node) ?? [node]);
  const body = change(graph.nodes.slice(0, graph.headStart));
  return { ...graph, nodes: [...body, ...change(graph.nodes.slice(graph.headStart))], headStart: body.length };
}

/** Numbers for new values of a graph. */
export function nextIds({ nodes }: Graph): () => number {
  const made = nodes.flatMap((node) => [node.output.id, ...(node.op === "linear" && node.best ? [node.best.id] : [])]);
  let next = 1 + Math.max(...made);
  return () => next++;
}
