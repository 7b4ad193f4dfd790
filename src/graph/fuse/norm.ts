// The norm of rows becomes a prologue of the one product that reads them: in decode, where every workgroup reads a whole row anyway.

import type { Graph, LinearNode, Node } from "../ir.ts";
import type { LowerOptions } from "../lowering.ts";
import { hasKernels } from "../products.ts";
import { type Pass, readsIn, replaceNodes } from "./pass.ts";

export const norm: Pass = {
  name: "norm",
  apply(graph: Graph, options: LowerOptions) {
    if (options.phase !== "decode") return graph;
    const reads = readsIn(graph);
    const replaced = new Map<Node, readonly Node[]>();
    for (const node of graph.nodes) {
      // The head has so many workgroups that a norm in each would cost more than a dispatch.
      if (node.op !== "rms_norm" || node.groups > 1 || node.output.rows === "outputRows") continue;
      const reader = reads.onlyReader(node.output);
      if (reader?.op !== "linear" || reader.input.id !== node.output.id || reader.norm || reader.merge) continue;
      const linear: LinearNode = { ...reader, input: node.input, norm: { weight: node.weight, eps: node.eps } };
      if (!hasKernels(linear, options)) continue;
      replaced.set(node, []);
      replaced.set(reader, [linear]);
    }
    return replaceNodes(graph, replaced);
  },
};
