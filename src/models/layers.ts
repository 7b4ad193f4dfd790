// Blocks that several architectures share, written on the graph builder.

import type { GraphBuilder, LayerWeights } from "../graph/builder.ts";
import type { Activation, AttentionRules, Value } from "../graph/ir.ts";
import type { ModelConfig } from "./config.ts";

/** Gated feed-forward: down(f(gate(x)) * up(x)). arXiv:2002.05202 */
export function gatedMlp(g: GraphBuilder, x: Value, l: LayerWeights, activation: Activation): Value {
  return g.linear(g.glu(g.linear(x, l("ffn_gate")), g.linear(x, l("ffn_up")), activation), l("ffn_down"));
}

/** What a layer's queries see, where that is not their whole past. */
export function windowOf({ slidingWindow }: ModelConfig, layer: number): AttentionRules | undefined {
  if (!slidingWindow || layer < slidingWindow.firstLayer) return undefined;
  return { mask: { window: slidingWindow.tokens } };
}
