// Writes safetensors files and Hugging Face folders in memory. Well-formed ones through `writeSafetensors`, and through `safetensorsFile` any
// other. Format: github.com/huggingface/safetensors#format

import { seededRng } from "../base/rng.ts";
import { formats } from "./formats.ts";

/** A tensor to write, rows first. */
export interface SafetensorsTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** A file of any header text and any bytes behind it. */
export function safetensorsFile(header: string | Uint8Array, data: Uint8Array, length?: bigint): Uint8Array<ArrayBuffer> {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

export function writeSafetensors(tensors: readonly SafetensorsTensor[]): Uint8Array<ArrayBuffer> {
  let end = 0;
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  for (const { name, dtype, shape, data } of tensors) {
    header[name] = { dtype, shape, data_offsets: [end, end + data.length] };
    end += data.length;
  }
  const data = new Uint8Array(end);
  let at = 0;
  for (const tensor of tensors) {
    data.set(tensor.data, at);
    at += tensor.data.length;
  }
  return safetensorsFile(JSON.stringify(header), data);
}

/** Normal values in one of the plain types. */
export function randomTensor(name: string, dtype: "F32" | "F16" | "BF16", shape: readonly number[]): SafetensorsTensor {
  const rng = seededRng(name.length * 7919 + shape.length);
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal() / 8);
  const data = formats.find((format) => format.name === dtype.toLowerCase())?.quantize?.(values);
  if (data === undefined) throw new Error(`${dtype} cannot be written`);
  return { name, dtype, shape, data };
}

/** config.json of the small llama whose tensors `tinyTensors` gives. */
export const tinyConfig: Readonly<Record<string, unknown>> = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 128,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  hidden_act: "silu",
  tie_word_embeddings: false,
  vocab_size: 80,
};

/** The tensors of a small llama under Hugging Face's names. */
export function tinyTensors(dtype: "F32" | "F16" | "BF16" = "F32"): SafetensorsTensor[] {
  const layer = (index: number): SafetensorsTensor[] => {
    const l = `model.layers.${index}.`;
    return [
      randomTensor(`${l}input_layernorm.weight`, dtype, [64]),
      randomTensor(`${l}self_attn.q_proj.weight`, dtype, [64, 64]),
      randomTensor(`${l}self_attn.k_proj.weight`, dtype, [32, 64]),
      randomTensor(`${l}self_attn.v_proj.weight`, dtype, [32, 64]),
      randomTensor(`${l}self_attn.o_proj.weight`, dtype, [64, 64]),
      randomTensor(`${l}post_attention_layernorm.weight`, dtype, [64]),
      randomTensor(`${l}mlp.gate_proj.weight`, dtype, [96, 64]),
      randomTensor(`${l}mlp.up_proj.weight`, dtype, [96, 64]),
      randomTensor(`${l}mlp.down_proj.weight`, dtype, [64, 96]),
    ];
  };
  return [
    randomTensor("model.embed_tokens.weight", dtype, [80, 64]),
    ...layer(0),
    ...layer(1),
    randomTensor("model.norm.weight", dtype, [64]),
    randomTensor("lm_head.weight", dtype, [80, 64]),
  ];
}

/** Files of a folder by name. */
export type FolderFiles = Readonly<Record<string, Uint8Array<ArrayBuffer>>>;

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** A folder whose weights are in `parts` files, with an index when they are several. */
export function writeFolder(tensors: readonly SafetensorsTensor[], parts = 1, config: object = tinyConfig): FolderFiles {
  const text = { "config.json": json(config), "tokenizer.json": json({ model: {} }) };
  if (parts === 1) return { ...text, "model.safetensors": writeSafetensors(tensors) };
  const each = Math.ceil(tensors.length / parts);
  const weightMap: Record<string, string> = {};
  const files: Record<string, Uint8Array<ArrayBuffer>> = {};
  for (let part = 0; part < parts; part++) {
    const name = `model-${String(part + 1).padStart(5, "0")}-of-${String(parts).padStart(5, "0")}.safetensors`;
    const own = tensors.slice(part * each, (part + 1) * each);
    files[name] = writeSafetensors(own);
    for (const tensor of own) weightMap[tensor.name] = name;
  }
  return { ...text, ...files, "model.safetensors.index.json": json({ metadata: {}, weight_map: weightMap }) };
}

/** As they come from a file picker or a drop. */
export function asFiles(folder: FolderFiles): File[] {
  return Object.entries(folder).map(([name, bytes]) => new File([bytes], name));
}
