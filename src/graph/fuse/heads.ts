// Attention in decode makes its heads ready itself, instead of a kernel before it: what `qkv` left to be done.

import { attentionDecode } from "../../kernels/attention_decode.ts";
import type { AttentionNode, Graph, Node } from "../ir.ts";
import { decodeAttributes } from "../lower_attention.ts";
import type { LowerOptions } from "../lowering.ts";
import { type Pass, replaceNodes } from "./pass.ts";

export const heads: Pass = {
  name: "heads",
  apply(graph: Graph, options: LowerOptions) {
    if (options.phase !== "decode") return graph;
    const replaced = new Map<Node, readonly Node[]>();
    for (const node of graph.nodes) {
      if (node.op !== "attention" || !("prologue" in node.from)) continue;
      const attention: AttentionNode = { ...node, from: { ...node.from, prologue: true } };
      if (attentionDecode.variants(decodeAttributes(attention, options), options.target).length > 0) replaced.set(node, [attention]);
    }
    return replaceNodes(graph, replaced);
  },
};
