// Headers of models of any size, without a byte of weights: for what is planned from shapes and types alone.

import type { MetaValue } from "../base/metadata.ts";
import { fileBytes } from "../formats/format.ts";
import type { ModelHeader, TensorInfo } from "../weights/tensor_info.ts";
import { formats } from "./formats.ts";

export interface HeaderSizes {
  readonly architecture: "llama" | "qwen2" | "qwen3";
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly ffn: number;
  readonly vocab: number;
  readonly context: number;
  /** Name of a matrix's format; the matrix without its layer and ending, as in `attn_q`. */
  readonly format: (matrix: string, layer: number) => string;
}

/** Q4_K_M as llama.cpp mixes it: half of the layers have Q6_K in V and down, the head always. */
export function q4KM(matrix: string, layer: number): string {
  if (matrix === "output" || matrix === "token_embd") return "q6_k";
  return (matrix === "attn_v" || matrix === "ffn_down") && layer % 2 === 0 ? "q6_k" : "q4_k";
}

/** Types of each matrix, taking turns over the layers; the first is a matrix's beside the layers. */
type Recipe = Readonly<Record<string, readonly string[]>>;

/** Files whose types llama.cpp was told tensor by tensor, as "dynamic" ones are: from four to eight types in the layers. */
export const mixedRecipes: Readonly<Record<"four" | "six" | "grids" | "seven" | "eight", Recipe>> = {
  four: {
    token_embd: ["q6_k"],
    output: ["q6_k"],
    attn_q: ["q4_k", "q5_k"],
    attn_k: ["q4_k", "q4_k", "q5_k", "q5_k"],
    attn_v: ["q5_k", "q6_k"],
    attn_output: ["q4_k", "q4_k", "q4_k", "iq4_xs"],
    ffn_gate: ["iq4_xs", "q4_k"],
    ffn_up: ["iq4_xs", "iq4_xs", "q4_k", "q4_k"],
    ffn_down: ["q4_k", "q5_k", "q6_k"],
  },
  six: {
    token_embd: ["q4_k"],
    output: ["q6_k"],
    attn_q: ["q3_k", "q4_k"],
    attn_k: ["q3_k", "q3_k", "q4_k", "q4_k"],
    attn_v: ["q5_k", "q6_k"],
    attn_output: ["q3_k", "q3_k", "q3_k", "iq4_xs"],
    ffn_gate: ["q2_k", "q3_k"],
    ffn_up: ["q2_k", "q2_k", "q3_k", "q3_k"],
    ffn_down: ["q3_k", "q4_k", "q2_k"],
  },
  grids: {
    token_embd: ["q4_k"],
    output: ["q5_k"],
    attn_q: ["iq2_s", "iq3_s"],
    attn_k: ["iq2_s", "iq2_s", "iq4_xs", "iq4_xs"],
    attn_v: ["q4_k", "q6_k"],
    attn_output: ["iq3_s", "iq3_s", "iq3_s", "iq2_s"],
    ffn_gate: ["iq2_xxs", "iq3_s"],
    ffn_up: ["iq2_xxs", "iq2_xxs", "iq3_s", "iq3_s"],
    ffn_down: ["iq3_s", "q4_k", "iq2_s"],
  },
  seven: {
    token_embd: ["q8_0"],
    output: ["q8_0"],
    attn_q: ["q5_k", "q8_0", "q3_k", "q4_k", "q6_k", "iq4_nl", "q5_0"],
    attn_k: ["q8_0", "q3_k", "q4_k", "q6_k", "iq4_nl", "q5_0", "q5_k"],
    attn_v: ["q3_k", "q4_k", "q6_k", "iq4_nl", "q5_0", "q5_k", "q8_0"],
    attn_output: ["q4_k", "q6_k", "iq4_nl", "q5_0", "q5_k", "q8_0", "q3_k"],
    ffn_gate: ["q6_k", "iq4_nl", "q5_0", "q5_k", "q8_0", "q3_k", "q4_k"],
    ffn_up: ["iq4_nl", "q5_0", "q5_k", "q8_0", "q3_k", "q4_k", "q6_k"],
    ffn_down: ["q5_0", "q5_k", "q8_0", "q3_k", "q4_k", "q6_k", "iq4_nl"],
  },
  eight: {
    token_embd: ["q8_0"],
    output: ["q8_0"],
    attn_q: ["q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_xs", "q8_0", "iq3_s"],
    attn_k: ["q3_k", "q4_k", "q5_k", "q6_k", "iq4_xs", "q8_0", "iq3_s", "q2_k"],
    attn_v: ["q4_k", "q5_k", "q6_k", "iq4_xs", "q8_0", "iq3_s", "q2_k", "q3_k"],
    attn_output: ["q5_k", "q6_k", "iq4_xs", "q8_0", "iq3_s", "q2_k", "q3_k", "q4_k"],
    ffn_gate: ["q6_k", "iq4_xs", "q8_0", "iq3_s", "q2_k", "q3_k", "q4_k", "q5_k"],
    ffn_up: ["q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_xs", "q8_0", "iq3_s"],
    ffn_down: ["q8_0", "iq3_s", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_xs"],
  },
};

/** A recipe as the format of each matrix. */
export function mixed(recipe: Recipe): HeaderSizes["format"] {
  return (matrix, layer) => {
    const types = recipe[matrix];
    return types[Math.max(layer, 0) % types.length];
  };
}

/** A Llama, a Qwen2 and a Qwen3 of about a billion weights in Q4_K_M, cut to `layers`. */
export function commonSizes(layers: number): readonly HeaderSizes[] {
  const llama: HeaderSizes = {
    architecture: "llama",
    layers,
    hidden: 2048,
    heads: 32,
    kvHeads: 8,
    headDim: 64,
    ffn: 5632,
    vocab: 32000,
    context: 4096,
    format: q4KM,
  };
  return [
    llama,
    { ...llama, architecture: "qwen2", hidden: 896, heads: 14, kvHeads: 2, ffn: 4864, vocab: 151936 },
    { ...llama, architecture: "qwen3", hidden: 1024, heads: 16, headDim: 128, ffn: 3072, vocab: 151936 },
  ];
}

export function modelHeader(sizes: HeaderSizes): ModelHeader {
  const { architecture, layers, hidden, heads, kvHeads, headDim, ffn, vocab, context } = sizes;
  const tensors = new Map<string, TensorInfo>();
  let offset = 0;
  const add = (name: string, shape: readonly number[], format: string): void => {
    const found = formats.find((one) => one.name === format);
    if (!found) throw new Error(`no format ${format}`);
    const bytes = fileBytes(
      found,
      shape.reduce((product, size) => product * size, 1),
    );
    tensors.set(name, { name, type: found.ggufType, shape, offset, bytes });
    offset += bytes;
  };
  const matrix = (name: string, shape: readonly number[], layer = -1): void => {
    add(layer < 0 ? `${name}.weight` : `blk.${layer}.${name}.weight`, shape, sizes.format(name, layer));
  };
  matrix("token_embd", [vocab, hidden]);
  const [q, kv] = [heads * headDim, kvHeads * headDim];
  for (let layer = 0; layer < layers; layer++) {
    for (const name of ["attn_norm", "ffn_norm"]) add(`blk.${layer}.${name}.weight`, [hidden], "f32");
    if (architecture === "qwen3") for (const name of ["attn_q_norm", "attn_k_norm"]) add(`blk.${layer}.${name}.weight`, [headDim], "f32");
    for (const [name, rows] of [
      ["attn_q", q],
      ["attn_k", kv],
      ["attn_v", kv],
    ] as const) {
      matrix(name, [rows, hidden], layer);
      if (architecture === "qwen2") add(`blk.${layer}.${name}.bias`, [rows], "f32");
    }
    matrix("attn_output", [hidden, q], layer);
    matrix("ffn_gate", [ffn, hidden], layer);
    matrix("ffn_up", [ffn, hidden], layer);
    matrix("ffn_down", [hidden, ffn], layer);
  }
  add("output_norm.weight", [hidden], "f32");
  matrix("output", [vocab, hidden]);
  const metadata = new Map<string, MetaValue>([
    ["general.architecture", architecture],
    [`${architecture}.block_count`, layers],
    [`${architecture}.context_length`, context],
    [`${architecture}.embedding_length`, hidden],
    [`${architecture}.feed_forward_length`, ffn],
    [`${architecture}.attention.head_count`, heads],
    [`${architecture}.attention.head_count_kv`, kvHeads],
    [`${architecture}.attention.key_length`, headDim],
    [`${architecture}.attention.value_length`, headDim],
    [`${architecture}.attention.layer_norm_rms_epsilon`, 1e-6],
    [`${architecture}.rope.freq_base`, 10000],
  ]);
  return { metadata, tensors };
}
