// Blocks that several architectures share, written on the graph builder.

import type { GraphBuilder, LayerWeights } from "../graph/builder.ts";
import type { Activation, Value } from "../graph/ir.ts";

/** Gated feed-forward: down(f(gate(x)) * up(x)). arXiv:2002.05202 */
export function gatedMlp(g: GraphBuilder, x: Value, l: LayerWeights, activation: Activation): Value {
  return g.linear(g.glu(g.linear(x, l("ffn_gate")), g.linear(x, l("ffn_up")), activation), l("ffn_down"));
}
