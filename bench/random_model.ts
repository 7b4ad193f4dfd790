// Seeded random models as GGUF files in memory, in shapes that other engines were measured on. They say nothing, at the speed
// of a trained model of the same shape.

import { seededRng } from "../src/base/rng.ts";
import { allFormats } from "../src/formats/index.ts";
import type { WeightFormat } from "../src/formats/format.ts";
import { type GgufEntry, type GgufTensor, writeGguf } from "../src/testing/gguf_writer.ts";
import { byteAlphabet } from "../src/testing/tiny_model.ts";

const formats = await allFormats();

export interface ModelShape {
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly ffn: number;
  readonly vocab: number;
}

/**
 * `small` and `ref` are those of ../shared/peers; `1b` is Llama 3.2 1B's with a shorter vocabulary, `3b` Llama 3.2 3B's. `many` has many equal
 * layers and little else, so that half of it is half of its layers.
 */
export const modelShapes: Readonly<Record<string, ModelShape>> = {
  small: { hidden: 288, layers: 6, heads: 6, kvHeads: 6, ffn: 768, vocab: 4096 },
  ref: { hidden: 896, layers: 24, heads: 14, kvHeads: 2, ffn: 4864, vocab: 32768 },
  "1b": { hidden: 2048, layers: 16, heads: 32, kvHeads: 8, ffn: 8192, vocab: 32768 },
  "3b": { hidden: 3072, layers: 28, heads: 24, kvHeads: 8, ffn: 8192, vocab: 128256 },
  many: { hidden: 768, layers: 72, heads: 24, kvHeads: 1, ffn: 2048, vocab: 1024 },
};

const specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
const contextLength = 2048;

/** A prime, so that rows of any length start at blocks of their own. */
const poolBlocks = 8191;

/** Bytes, then words of two to four letters, then control tokens. */
function vocabulary(size: number): { tokens: string[]; merges: string[] } {
  const tokens = byteAlphabet();
  const merges: string[] = [];
  const letters = "abcdefghijklmnopqrstuvwxyz".split("");
  let words = letters;
  while (tokens.length < size - specials.length) {
    words = words.flatMap((word) => letters.map((letter) => word + letter));
    for (const word of words.slice(0, size - specials.length - tokens.length)) {
      tokens.push(word);
      merges.push(`${word.slice(0, -1)} ${word.slice(-1)}`);
    }
  }
  return { tokens: [...tokens, ...specials], merges };
}

/** Everything of such a model but its tensors. */
export function randomMetadata(name: string, shape: ModelShape): GgufEntry[] {
  const { tokens, merges } = vocabulary(shape.vocab);
  const end = tokens.length - 1;
  return [
    ["general.architecture", "string", "llama"],
    ["general.name", "string", name],
    ["llama.block_count", "u32", shape.layers],
    ["llama.context_length", "u32", contextLength],
    ["llama.embedding_length", "u32", shape.hidden],
    ["llama.feed_forward_length", "u32", shape.ffn],
    ["llama.attention.head_count", "u32", shape.heads],
    ["llama.attention.head_count_kv", "u32", shape.kvHeads],
    ["llama.attention.layer_norm_rms_epsilon", "f32", 1e-6],
    ["llama.rope.freq_base", "f32", 10000],
    ["tokenizer.ggml.model", "string", "gpt2"],
    ["tokenizer.ggml.pre", "string", "gpt-2"],
    ["tokenizer.ggml.tokens", "string[]", tokens],
    ["tokenizer.ggml.token_type", "i32[]", tokens.map((_, id) => (id > end - specials.length ? 3 : 1))],
    ["tokenizer.ggml.merges", "string[]", merges],
    ["tokenizer.ggml.bos_token_id", "u32", end - 2],
    ["tokenizer.ggml.eos_token_id", "u32", end],
    ["tokenizer.ggml.add_bos_token", "bool", false],
  ];
}

/** File bytes of random matrices: each takes its blocks in turn from one seeded pool for its row length. */
export function randomWeights(format: WeightFormat, seed: number): (rows: number, cols: number) => Uint8Array<ArrayBuffer> {
  const rng = seededRng(seed);
  const pools = new Map<number, Uint8Array>();
  let next = 0;
  return (rows, cols) => {
    let pool = pools.get(cols);
    if (pool === undefined) {
      const values = Float32Array.from({ length: poolBlocks * format.blockSize }, () => rng.normal() / Math.sqrt(cols));
      pool = format.quantize?.(values);
      if (pool === undefined) throw new Error(`${format.name} cannot be written`);
      pools.set(cols, pool);
    }
    const out = new Uint8Array(((rows * cols) / format.blockSize) * format.bytesPerBlock);
    for (let at = 0; at < out.length;) {
      const part = pool.subarray(next * format.bytesPerBlock, Math.min(pool.length, next * format.bytesPerBlock + out.length - at));
      out.set(part, at);
      at += part.length;
      next = (next + part.length / format.bytesPerBlock) % poolBlocks;
    }
    return out;
  };
}

export function formatNamed(name: string): WeightFormat {
  const format = formats.find((candidate) => candidate.name === name);
  if (format === undefined) throw new Error(`no format ${name}`);
  return format;
}

/** Makes the tensors of a model; names are without their `.weight`. */
export interface TensorMakers<T> {
  readonly matrix: (name: string, rows: number, cols: number) => T;
  readonly norm: (name: string) => T;
}

/** The tensors of a Llama in the order of its file; its head is its embedding. */
export function tensorsOf<T>({ hidden, layers, heads, kvHeads, ffn, vocab }: ModelShape, { matrix, norm }: TensorMakers<T>): T[] {
  const kvWidth = (hidden / heads) * kvHeads;
  const layerTensors = Array.from({ length: layers }, (_, index) => {
    const l = `blk.${index}.`;
    return [
      norm(`${l}attn_norm`),
      matrix(`${l}attn_q`, hidden, hidden),
      matrix(`${l}attn_k`, kvWidth, hidden),
      matrix(`${l}attn_v`, kvWidth, hidden),
      matrix(`${l}attn_output`, hidden, hidden),
      norm(`${l}ffn_norm`),
      matrix(`${l}ffn_gate`, ffn, hidden),
      matrix(`${l}ffn_up`, ffn, hidden),
      matrix(`${l}ffn_down`, hidden, ffn),
    ];
  });
  return [matrix("token_embd", vocab, hidden), ...layerTensors.flat(), norm("output_norm")];
}

/** A Llama of that shape whose head is its embedding. */
export function randomModel(shapeName: string, formatName: string): Uint8Array<ArrayBuffer> {
  const shape = modelShapes[shapeName];
  if (shape === undefined) throw new Error(`no shape ${shapeName}: ${Object.keys(modelShapes).join(", ")}`);
  const format = formatNamed(formatName);
  const weights = randomWeights(format, 1);
  const rng = seededRng(2);
  const matrix = (name: string, rows: number, cols: number): GgufTensor => ({
    name: `${name}.weight`,
    shape: [rows, cols],
    type: format.ggufType,
    data: weights(rows, cols),
  });
  const norm = (name: string): GgufTensor => {
    const data = Float32Array.from({ length: shape.hidden }, () => 1 + 0.1 * rng.normal());
    return { name: `${name}.weight`, shape: [shape.hidden], type: 0, data: new Uint8Array(data.buffer) };
  };
  const tensors = tensorsOf(shape, { matrix, norm });
  return writeGguf({ metadata: randomMetadata(`random ${shapeName} ${formatName}`, shape), tensors });
}
