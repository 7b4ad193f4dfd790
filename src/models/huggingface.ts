// From a Hugging Face config.json to an architecture and the metadata keys that its `config` reads, and from tensor names there to canonical
// ones. What an architecture adds is in its own file; here is what decoders of the llama family share. What is not known to change nothing is
// refused. Facts: github.com/huggingface/transformers, configuration_*.py and modeling_rope_utils.py.

import { ShaderloomError } from "../base/errors.ts";
import type { Metadata, MetaValue } from "../base/metadata.ts";

/** config.json, hostile until read. */
export type HuggingFaceConfig = Readonly<Record<string, unknown>>;

/** How Hugging Face describes a model of an architecture. */
export interface HuggingFaceMapping {
  /** @throws {ShaderloomError} UNSUPPORTED.config, UNSUPPORTED.rope, MODEL.config */
  metadata(config: HuggingFaceConfig): Metadata;
  /** The canonical name; null for a tensor that changes nothing, undefined for one that is not known. */
  tensorName(name: string): string | null | undefined;
}

/** Of a pre-norm decoder with a gated MLP. */
export function decoderMapping(architecture: string): HuggingFaceMapping {
  return { metadata: (config) => decoderMetadata(config, architecture), tensorName: decoderTensorName };
}

/** @throws {ShaderloomError} MODEL.config when it is no object */
export function asConfig(value: unknown): HuggingFaceConfig {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new ShaderloomError("MODEL.config", "config.json is no JSON object. Get the file from its source again.");
}

const parts: Readonly<Record<string, string>> = {
  input_layernorm: "attn_norm",
  post_attention_layernorm: "ffn_norm",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "self_attn.q_norm": "attn_q_norm",
  "self_attn.k_norm": "attn_k_norm",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

const outer: ReadonlyMap<string, string> = new Map([
  ["model.embed_tokens.weight", "token_embd.weight"],
  ["model.norm.weight", "output_norm.weight"],
  ["lm_head.weight", "output.weight"],
]);

/** RoPE tables of old files, and scales of activations and KV that only a run in 8 bits needs. */
const harmless = /\.(?:rotary_emb\.inv_freq|input_scale|input_scale_ub|k_scale|v_scale|q_scale)$/;

/** Names of a pre-norm decoder with a gated MLP. */
export function decoderTensorName(name: string): string | null | undefined {
  const known = outer.get(name);
  if (known !== undefined) return known;
  if (harmless.test(name)) return null;
  const match = /^model\.layers\.(0|[1-9]\d{0,4})\.(.+)\.(weight|bias)$/.exec(name);
  const part = match !== null && Object.hasOwn(parts, match[2]) ? parts[match[2]] : undefined;
  return part === undefined ? undefined : `blk.${match?.[1]}.${part}.${match?.[3]}`;
}

/**
 * The keys that `readConfig` reads. A number that is missing is left out, so that it is refused there by its name.
 *
 * @throws {ShaderloomError} UNSUPPORTED.config, UNSUPPORTED.rope
 */
function decoderMetadata(config: HuggingFaceConfig, architecture: string): Map<string, MetaValue> {
  checkPlain(config);
  const metadata = new Map<string, MetaValue>([["general.architecture", architecture]]);
  const put = (key: string, value: unknown): void => {
    if (typeof value === "number" || typeof value === "string") metadata.set(`${architecture}.${key}`, value);
  };
  const name = config["_name_or_path"];
  if (typeof name === "string" && name !== "") metadata.set("general.name", name.split("/").at(-1) ?? name);
  put("block_count", config["num_hidden_layers"]);
  put("context_length", config["max_position_embeddings"]);
  put("embedding_length", config["hidden_size"]);
  put("feed_forward_length", config["intermediate_size"]);
  put("attention.head_count", config["num_attention_heads"]);
  put("attention.head_count_kv", config["num_key_value_heads"]);
  put("attention.layer_norm_rms_epsilon", config["rms_norm_eps"]);
  put("hidden_activation", config["hidden_act"]);
  const headDim = headDimOf(config);
  put("attention.key_length", headDim);
  put("attention.value_length", headDim);
  putWindow(config, put);
  putRope(config, headDim, put);
  return metadata;
}

const layerTypes: ReadonlySet<unknown> = new Set(["full_attention", "sliding_attention"]);

/**
 * Layers of Mistral all slide, those of Qwen from `max_window_layers` on (28 where that is not said) once `use_sliding_window` says so.
 * Newer files list the types of layers. Of windows of other models nothing is known.
 *
 * @throws {ShaderloomError} UNSUPPORTED.config
 */
function putWindow(config: HuggingFaceConfig, put: Put): void {
  const window = config["sliding_window"] ?? null;
  const layers = config["layer_types"] ?? [];
  if (!Array.isArray(layers) || layers.some((type) => !layerTypes.has(type))) refuse("layer_types", layers);
  const listed = layers.indexOf("sliding_attention");
  const qwen = config["model_type"] === "qwen2" || config["model_type"] === "qwen3";
  const used = window !== null && (config["use_sliding_window"] ?? !qwen) !== false;
  if (!used) {
    if (listed !== -1) refuse("layer_types", layers);
    return;
  }
  if (typeof window !== "number" || !Number.isSafeInteger(window) || window <= 0) refuse("sliding_window", window);
  const context = config["max_position_embeddings"];
  if (typeof context === "number" && window >= context) return;
  if (!qwen && config["model_type"] !== "mistral") refuse("sliding_window", window);
  const stated = qwen ? (config["max_window_layers"] ?? 28) : 0;
  const first = layers.length > 0 ? (listed === -1 ? layers.length : listed) : stated;
  if (typeof first !== "number" || layers.slice(first).includes("full_attention")) refuse("layer_types", layers);
  put("attention.sliding_window", window);
  put("attention.sliding_window_first_layer", first);
}

type Put = (key: string, value: unknown) => void;

function headDimOf(config: HuggingFaceConfig): number | undefined {
  const { head_dim: stated, hidden_size: hidden, num_attention_heads: heads } = config;
  if (typeof stated === "number") return stated;
  return typeof hidden === "number" && typeof heads === "number" ? hidden / heads : undefined;
}

/** @throws {ShaderloomError} UNSUPPORTED.config, always */
function refuse(key: string, value: unknown): never {
  const shown = JSON.stringify(value)?.slice(0, 60);
  const message = `config.json has ${key}: ${shown}, which is not supported. Choose a plain decoder model.`;
  throw new ShaderloomError("UNSUPPORTED.config", message, { detail: { key } });
}

/** Settings that would change the forward pass. */
function checkPlain(config: HuggingFaceConfig): void {
  const activation = config["hidden_act"] ?? "silu";
  if (!["silu", "swish", "relu"].some((known) => known === activation)) refuse("hidden_act", activation);
  const partial = config["partial_rotary_factor"] ?? 1;
  if (typeof partial !== "number" || !(partial > 0 && partial <= 1)) refuse("partial_rotary_factor", partial);
  checkQuantization(config["quantization_config"]);
}

/** Methods that store weights as floats of 8 bits, with scales beside them. */
const float8Methods: ReadonlySet<unknown> = new Set(["fp8", "fbgemm_fp8", "compressed-tensors", "modelopt"]);

function checkQuantization(value: unknown): void {
  if (value === undefined || value === null) return;
  const { quant_method: method, weight_block_size: block } = asConfig(value);
  if (!float8Methods.has(method)) refuse("quantization_config.quant_method", method);
  const square =
    block === undefined || block === null || (Array.isArray(block) && block.length === 2 && block.every((size) => size === 128));
  if (!square) refuse("quantization_config.weight_block_size", block);
}

/** `rope_scaling` of old, `rope_parameters` of new files. */
function putRope(config: HuggingFaceConfig, headDim: number | undefined, put: Put): void {
  const stated = config["rope_parameters"] ?? config["rope_scaling"] ?? {};
  const rope = asConfig(stated);
  put("rope.freq_base", rope["rope_theta"] ?? config["rope_theta"]);
  const share = config["partial_rotary_factor"] ?? rope["partial_rotary_factor"];
  if (typeof share === "number" && headDim !== undefined) put("rope.dimension_count", Math.trunc(headDim * share));
  const type = rope["rope_type"] ?? rope["type"] ?? "default";
  if (type === "default") return;
  if (typeof type !== "string" || !["linear", "llama3", "yarn"].includes(type)) throw ropeError(type);
  for (const key of ["mscale", "mscale_all_dim", "truncate"]) if (rope[key] !== undefined) throw ropeError(`${type} with ${key}`);
  put("rope.scaling.type", type);
  put("rope.scaling.factor", rope["factor"]);
  put("rope.scaling.original_context_length", rope["original_max_position_embeddings"] ?? config["original_max_position_embeddings"]);
  put("rope.scaling.low_freq_factor", rope["low_freq_factor"]);
  put("rope.scaling.high_freq_factor", rope["high_freq_factor"]);
  put("rope.scaling.yarn_beta_fast", rope["beta_fast"]);
  put("rope.scaling.yarn_beta_slow", rope["beta_slow"]);
  put("rope.scaling.attention_factor", rope["attention_factor"]);
}

function ropeError(type: unknown): ShaderloomError {
  const shown = String(type).slice(0, 60);
  const message = `RoPE scaling "${shown}" is not supported. Use a model with linear, llama3 or YaRN scaling.`;
  return new ShaderloomError("UNSUPPORTED.rope", message, { detail: { type: shown } });
}
