// Llama 2 and 3, Mistral, SmolLM and other plain pre-norm decoders.

import { eachLayer, weightsOf } from "../graph/builder.ts";
import type { Architecture } from "./architecture.ts";
import { readConfig } from "./config.ts";
import { gatedMlp, windowOf } from "./layers.ts";

/**
 * Llama: pre-norm decoder, grouped-query attention, SwiGLU. arXiv:2302.13971, arXiv:2407.21783
 *
 * GGUF files permute the rows of Q and K so that RoPE pairs neighbours.
 */
export const llama: Architecture = {
  name: "llama",
  pairing: "interleaved",
  ropeFactors: "rope_freqs.weight",
  config: (metadata, vocabSize) => readConfig(metadata, "llama", vocabSize),
  fromHuggingFace: {
    modelTypes: ["llama", "mistral"],
    classes: ["LlamaForCausalLM", "MistralForCausalLM"],
    load: async () => (await import("./huggingface.ts")).decoderMapping("llama"),
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
      x = g.add(
        x,
        g.linear(g.attention(q, k, v, { layer: l.index, rules: windowOf(c, l.index) }), l("attn_output"), l.bias("attn_output")),
      );
      x = g.add(x, gatedMlp(g, g.rmsNorm(x, l("ffn_norm"), c.normEps), l, c.activation));
    }
    return g.linear(g.rmsNorm(g.outputRows(x), w("output_norm"), c.normEps), w("output", "token_embd"));
  },
};
