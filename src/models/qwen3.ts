// Qwen3 (dense).

import { eachLayer, weightsOf } from "../graph/builder.ts";
import type { Architecture } from "./architecture.ts";
import { readConfig } from "./config.ts";
import { gatedMlp, windowOf } from "./layers.ts";

/** Qwen3: pre-norm decoder, grouped-query attention with RMS norm of each query and key head, SwiGLU. arXiv:2505.09388 */
export const qwen3: Architecture = {
  name: "qwen3",
  pairing: "half",
  config: (metadata, vocabSize) => readConfig(metadata, "qwen3", vocabSize),
  fromHuggingFace: {
    modelTypes: ["qwen3"],
    classes: ["Qwen3ForCausalLM"],
    load: async () => (await import("./huggingface.ts")).decoderMapping("qwen3"),
  },
  forward(g, { config: c, tensors, rope, pairing }) {
    const w = weightsOf(tensors);
    const rotary = { table: rope, rotaryDim: c.rotaryDim, pairing };
    let x = g.embed(w("token_embd"));
    for (const l of eachLayer(tensors, c.numLayers)) {
      const h = g.rmsNorm(x, l("attn_norm"), c.normEps);
      const q = g.rope(g.rmsNorm(g.heads(g.linear(h, l("attn_q")), c.numHeads), l("attn_q_norm"), c.normEps), rotary);
      const k = g.rope(g.rmsNorm(g.heads(g.linear(h, l("attn_k")), c.numKvHeads), l("attn_k_norm"), c.normEps), rotary);
      const v = g.linear(h, l("attn_v"));
      x = g.add(x, g.linear(g.attention(q, k, v, { layer: l.index, rules: windowOf(c, l.index) }), l("attn_output")));
      x = g.add(x, gatedMlp(g, g.rmsNorm(x, l("ffn_norm"), c.normEps), l, c.activation));
    }
    return g.linear(g.rmsNorm(g.outputRows(x), w("output_norm"), c.normEps), w("output", "token_embd"));
  },
};
