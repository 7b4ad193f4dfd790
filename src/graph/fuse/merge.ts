// The ranges of attention in decode are joined by the one product that reads them, as it reads them.

import { partialCols } from "../../kernels/attention.ts";
import type { AttentionNode, Graph, LinearNode, Node } from "../ir.ts";
import { splitAttributes } from "../lower_attention.ts";
import type { LowerOptions } from "../lowering.ts";
import { hasKernels } from "../products.ts";
import { nextIds, type Pass, readsIn, replaceNodes } from "./pass.ts";

export const merge: Pass = {
  name: "merge",
  apply(graph: Graph, options: LowerOptions) {
    if (options.phase !== "decode") return graph;
    const reads = readsIn(graph);
    const id = nextIds(graph);
    const replaced = new Map<Node, readonly Node[]>();
    for (const node of graph.nodes) {
      if (node.op !== "attention" || node.unjoined) continue;
      const reader = reads.onlyReader(node.output);
      if (reader?.op !== "linear" || reader.input.id !== node.output.id || reader.norm) continue;
      const split = splitAttributes(node, options);
      const { splits, splitTokens, window } = split;
      const ranges = { splits, splitTokens, ...(window !== undefined && { window }) };
      const unjoined = { numHeads: node.numHeads, headDim: node.headDim, ...ranges };
      const { layer, output } = node;
      const partials = { ...output, id: id(), name: `blk.${layer}.attention_partials`, cols: partialCols(split), type: "f32" } as const;
      const linear: LinearNode = { ...reader, input: partials, merge: unjoined };
      if (!hasKernels(linear, options)) continue;
      const attention: AttentionNode = { ...node, unjoined, output: partials };
      replaced.set(node, [attention]);
      replaced.set(reader, [linear]);
    }
    return replaceNodes(graph, replaced);
  },
};
