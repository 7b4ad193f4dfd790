// What a config.json becomes, against what GGUF would say of the same model; and which settings are refused.

import { describe, expect, test } from "vitest";
import { refusal } from "../testing/refusal.ts";
import { tinyConfig } from "../testing/safetensors_writer.ts";
import { errorCode } from "../testing/typed_error.ts";
import { asConfig, decoderTensorName } from "./huggingface.ts";
import { architectureOf, fromHuggingFace } from "./index.ts";
import type { ModelConfig } from "./config.ts";

/** What the architecture makes of a config.json with some values replaced. */
async function read(changes: object = {}, vocabSize = 80): Promise<ModelConfig> {
  const config = asConfig({ ...tinyConfig, ...changes });
  const metadata = (await fromHuggingFace(config)).metadata(config);
  return architectureOf(metadata.get("general.architecture")).config(metadata, vocabSize);
}

describe("config.json", () => {
  test("sizes, RoPE and epsilon of a llama", async () => {
    expect(await read()).toMatchObject({
      numLayers: 2,
      contextLength: 128,
      numHeads: 4,
      numKvHeads: 2,
      headDim: 16,
      rotaryDim: 16,
      normEps: 1e-5,
      ropeTheta: 10000,
    });
  });

  test.each([
    ["LlamaForCausalLM", "llama"],
    ["MistralForCausalLM", "llama"],
    ["Qwen2ForCausalLM", "qwen2"],
    ["Qwen3ForCausalLM", "qwen3"],
  ])("%s is a %s", async (name, architecture) => {
    const config = asConfig({ ...tinyConfig, architectures: [name] });
    expect((await fromHuggingFace(config)).metadata(config).get("general.architecture")).toBe(architecture);
  });

  test.each([
    ["silu", "silu"],
    ["swish", "silu"],
    ["relu", "relu"],
    [undefined, "silu"],
  ])("feed-forward blocks with %s", async (name, activation) => {
    expect((await read({ hidden_act: name })).activation).toBe(activation);
  });

  test("the model type where no class is named", async () => {
    const config = asConfig({ ...tinyConfig, architectures: undefined, model_type: "qwen3" });
    expect((await fromHuggingFace(config)).metadata(config).get("general.architecture")).toBe("qwen3");
  });

  test("a head size of its own, and a sliding window that is switched off", async () => {
    expect((await read({ head_dim: 32 })).headDim).toBe(32);
    expect((await read({ sliding_window: 64, use_sliding_window: false })).headDim).toBe(16);
    expect((await read({ sliding_window: 128 })).headDim).toBe(16);
    expect((await read({ sliding_window: null })).headDim).toBe(16);
  });

  test("windows of Mistral, of Qwen from a layer on, and of listed layers", async () => {
    const windowOf = async (changes: object): Promise<ModelConfig["slidingWindow"]> => (await read(changes)).slidingWindow;
    const mistral = { architectures: ["MistralForCausalLM"], model_type: "mistral", sliding_window: 64 };
    expect(await windowOf(mistral)).toEqual({ tokens: 64, firstLayer: 0 });
    expect(await windowOf({ ...mistral, sliding_window: 128 })).toBeUndefined();
    expect(await windowOf({ ...mistral, sliding_window: null })).toBeUndefined();
    const qwen = { architectures: ["Qwen2ForCausalLM"], model_type: "qwen2", sliding_window: 64 };
    expect(await windowOf(qwen)).toBeUndefined();
    expect(await windowOf({ ...qwen, use_sliding_window: true })).toEqual({ tokens: 64, firstLayer: 28 });
    expect(await windowOf({ ...qwen, use_sliding_window: true, max_window_layers: 1 })).toEqual({ tokens: 64, firstLayer: 1 });
    const listed = { ...qwen, use_sliding_window: true, layer_types: ["full_attention", "sliding_attention"] };
    expect(await windowOf(listed)).toEqual({ tokens: 64, firstLayer: 1 });
    expect(await errorCode(read({ ...listed, layer_types: ["sliding_attention", "full_attention"] }))).toBe("UNSUPPORTED.config");
    expect(await errorCode(read({ ...mistral, sliding_window: 0.5 }))).toBe("UNSUPPORTED.config");
  });

  test("RoPE scaling of old and of new files", async () => {
    const llama3 = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 };
    const scaling = { type: "llama3", factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalContextLength: 64 };
    expect(await read({ rope_scaling: llama3 })).toMatchObject({ ropeTheta: 10000, ropeScaling: scaling });
    expect(await read({ rope_theta: undefined, rope_parameters: { ...llama3, rope_theta: 5e5 } })).toMatchObject({
      ropeTheta: 5e5,
      ropeScaling: scaling,
    });
    expect((await read({ rope_scaling: { type: "linear", factor: 2 } })).ropeScaling).toEqual({ type: "linear", factor: 2 });
    expect((await read({ rope_scaling: { rope_type: "default" } })).ropeScaling).toBeUndefined();
    const yarn = { type: "yarn", factor: 4, original_max_position_embeddings: 32, attention_factor: 1.1 };
    expect((await read({ rope_scaling: yarn })).ropeScaling).toMatchObject({
      type: "yarn",
      factor: 4,
      originalContextLength: 32,
      attentionFactor: 1.1,
    });
  });
});

describe("what would change the forward pass is refused", () => {
  test.each<[string, object, string]>([
    ["another architecture", { architectures: ["MambaForCausalLM"] }, "UNSUPPORTED.architecture"],
    ["a class that is a prototype's", { architectures: ["constructor"] }, "UNSUPPORTED.architecture"],
    ["nothing that names it", { architectures: undefined, model_type: undefined }, "UNSUPPORTED.architecture"],
    ["another activation", { hidden_act: "gelu" }, "UNSUPPORTED.config"],
    ["ReLU with a threshold of its own", { hidden_act: "fatrelu", hidden_act_param: 0.01 }, "UNSUPPORTED.config"],
    ["squares of ReLU", { hidden_act: "relu2" }, "UNSUPPORTED.config"],
    ["an activation that is a list", { hidden_act: ["relu"] }, "UNSUPPORTED.config"],
    ["a sliding window of a model that is not known to have one", { sliding_window: 64 }, "UNSUPPORTED.config"],
    ["layers that slide", { layer_types: ["full_attention", "sliding_attention"] }, "UNSUPPORTED.config"],
    ["weights of GPTQ", { quantization_config: { quant_method: "gptq", bits: 4 } }, "UNSUPPORTED.config"],
    ["squares of another size", { quantization_config: { quant_method: "fp8", weight_block_size: [64, 64] } }, "UNSUPPORTED.config"],
    ["RoPE scaling that is not known", { rope_scaling: { rope_type: "longrope", factor: 2 } }, "UNSUPPORTED.rope"],
    ["YaRN with settings of its own", { rope_scaling: { rope_type: "yarn", factor: 2, mscale: 0.7 } }, "UNSUPPORTED.rope"],
    ["no layers", { num_hidden_layers: 0 }, "MODEL.config"],
    ["no hidden size", { hidden_size: undefined }, "MODEL.config"],
    ["heads that do not divide it", { num_attention_heads: 5 }, "MODEL.config"],
    ["a context of 2^40", { max_position_embeddings: 2 ** 40 }, "MODEL.config"],
    ["sizes as text", { hidden_size: "64" }, "MODEL.config"],
  ])("%s", async (_, changes, code) => {
    expect(await errorCode(read(changes))).toBe(code);
  });

  test("a config.json that is no object", () => {
    for (const value of [null, [], "x", 5]) expect(refusal(() => asConfig(value)).code).toBe("MODEL.config");
  });
});

test("names of tensors", () => {
  expect(decoderTensorName("model.layers.12.self_attn.q_proj.bias")).toBe("blk.12.attn_q.bias");
  expect(decoderTensorName("model.layers.0.post_attention_layernorm.weight")).toBe("blk.0.ffn_norm.weight");
  expect(decoderTensorName("model.layers.0.self_attn.rotary_emb.inv_freq")).toBeNull();
  for (const name of ["model.layers.-1.mlp.up_proj.weight", "model.layers.0.mlp.up_proj", "transformer.h.0.weight", "toString", ""]) {
    expect(decoderTensorName(name)).toBeUndefined();
  }
});
