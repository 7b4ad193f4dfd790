// In decode every row has logits and output row i is row i: nothing has to be gathered.

import type { Graph, Node } from "../ir.ts";
import type { LowerOptions } from "../lowering.ts";
import { type Pass, readsIn, replaceNodes } from "./pass.ts";

export const outputRows: Pass = {
  name: "output_rows",
  apply(graph: Graph, options: LowerOptions) {
    if (options.phase !== "decode") return graph;
    const replaced = new Map<Node, readonly Node[]>();
    const reads = readsIn(graph);
    for (const node of graph.nodes) {
      if (node.op !== "output_rows") continue;
      const reader = reads.onlyReader(node.output);
      // Its output has a row for each output row, whatever it reads.
      if (reader?.op !== "rms_norm") continue;
      replaced.set(node, []);
      replaced.set(reader, [{ ...reader, input: node.input }]);
    }
    return replaceNodes(graph, replaced);
  },
};
