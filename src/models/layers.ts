// Blocks that several architectures share, written on the graph builder.

import type { GraphBuilder, LayerWeights } from "../graph/builder.ts";
import type { Value } from "../graph/ir.ts";

/** SwiGLU feed-forward: down(silu(gate(x)) * up(x)). arXiv:2002.05202 */
export function gatedMlp(g: GraphBuilder, x: Value, l: LayerWeights): Value {
  return g.linear(g.glu(g.linear(x, l("ffn_gate")), g.linear(x, l("ffn_up")), "silu"), l("ffn_down"));
}
