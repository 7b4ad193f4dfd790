// The head keeps the largest of every eight logits beside them, from which one more kernel has the likeliest token: what `lower` makes the
// section `best` of, beside `sample`, which looks at all logits. Tokens are the same either way.

import { ceilDiv } from "../../base/math.ts";
import { gemvColumns } from "../../kernels/gemv.ts";
import { bestOf } from "../../kernels/matrix.ts";
import type { Graph, LinearNode, Value } from "../ir.ts";
import type { LowerOptions } from "../lowering.ts";
import { hasKernels } from "../products.ts";
import { nextIds, type Pass, readsIn, replaceNodes } from "./pass.ts";

export const pick: Pass = {
  name: "pick",
  apply(graph: Graph, options: LowerOptions) {
    const node = readsIn(graph).maker(graph.logits);
    if (node.op !== "linear") return graph;
    const { output } = node;
    const best: Value = { id: nextIds(graph)(), name: "best", rows: output.rows, cols: ceilDiv(output.cols, bestOf), type: "f32" };
    const keeping: LinearNode = { ...node, best };
    // The head of a prompt has few rows.
    const target = { ...options.target, maxRows: Math.min(options.target.maxRows, gemvColumns) };
    return hasKernels(keeping, { ...options, target }) ? replaceNodes(graph, new Map([[node, [keeping]]])) : graph;
  },
};
