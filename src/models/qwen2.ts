// Qwen2 and Qwen2.5 (dense).

import { eachLayer, weightsOf } from "../graph/builder.ts";
import type { Architecture } from "./architecture.ts";
import { readConfig } from "./config.ts";
import { gatedMlp, windowOf } from "./layers.ts";

/** Qwen2: pre-norm decoder, grouped-query attention with biases on Q, K and V, SwiGLU. arXiv:2407.10671 */
export const qwen2: Architecture = {
  name: "qwen2",
  pairing: "half",
  config: (metadata, vocabSize) => readConfig(metadata, "qwen2", vocabSize),
  fromHuggingFace: {
    modelTypes: ["qwen2"],
    classes: ["Qwen2ForCausalLM"],
    load: async () => (await import("./huggingface.ts")).decoderMapping("qwen2"),
  },
  forward(g, { config: c, tensors, rope, pairing }) {
    const w = weightsOf(tensors);
    const rotary = { table: rope, rotaryDim: c.rotaryDim, pairing };
    let x = g.embed(w("token_embd"));
    for (const l of eachLayer(tensors, c.numLayers)) {
      const h = g.rmsNorm(x, l("attn_norm"), c.normEps);
      const q = g.rope(g.heads(g.linear(h, l("attn_q"), l.bias("attn_q")), c.numHeads), rotary);
      const k = g.rope(g.heads(g.linear(h, l("attn_k"), l.bias("attn_k")), c.numKvHeads), rotary);
      const v = g.linear(h, l("attn_v"), l.bias("attn_v"));
      x = g.add(x, g.linear(g.attention(q, k, v, { layer: l.index, rules: windowOf(c, l.index) }), l("attn_output")));
      x = g.add(x, gatedMlp(g, g.rmsNorm(x, l("ffn_norm"), c.normEps), l, c.activation));
    }
    return g.linear(g.rmsNorm(g.outputRows(x), w("output_norm"), c.normEps), w("output", "token_embd"));
  },
};
