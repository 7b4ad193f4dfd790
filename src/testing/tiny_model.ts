// A seeded two-layer model as a GGUF file in memory: every path of the engine on data the repository makes itself.

import { seededRng } from "../base/rng.ts";
import { formats } from "./formats.ts";
import { type GgufEntry, type GgufTensor, writeGguf } from "./gguf_writer.ts";

export interface TinyModelOptions {
  readonly architecture?: "llama" | "qwen2" | "qwen3";
  /** Format of the matrices, or of each by its name without `.weight`; rows that do not fill its blocks are f32. */
  readonly format?: string | ((matrix: string) => string);
  readonly layers?: number;
  readonly hidden?: number;
  readonly heads?: number;
  readonly kvHeads?: number;
  readonly ffn?: number;
  readonly contextLength?: number;
  readonly seed?: number;
  /** Whether the head has a matrix of its own. */
  readonly untied?: boolean;
  /** Tokens beyond `tinyVocabSize`, for readers that want more. */
  readonly extraTokens?: number;
  /** Entries added to the metadata, or replacing those of the same key. */
  readonly metadata?: readonly GgufEntry[];
}

export const tinySpecials: readonly string[] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
export const tinyVocabSize: number = 256 + 4 + tinySpecials.length;

const chatTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

function printable(byte: number): boolean {
  return (byte >= 33 && byte < 127) || (byte >= 161 && byte < 173) || byte >= 174;
}

/** GPT-2's printable stand-ins for the 256 bytes. */
export function byteAlphabet(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

export function tinyModel(options: TinyModelOptions = {}): Uint8Array<ArrayBuffer> {
  return writeGguf({ metadata: metadataOf(options), tensors: tensorsOf(options) });
}

function sizes(options: TinyModelOptions): Required<Pick<TinyModelOptions, "layers" | "hidden" | "heads" | "kvHeads" | "ffn">> {
  return { layers: 2, hidden: 64, heads: 4, kvHeads: 2, ffn: 172, ...options };
}

function metadataOf(options: TinyModelOptions): GgufEntry[] {
  const { architecture = "llama", contextLength = 256 } = options;
  const { layers, hidden, heads, kvHeads, ffn } = sizes(options);
  const extra = Array.from({ length: options.extraTokens ?? 0 }, (_, index) => `~extra${index}`);
  const tokens = [...byteAlphabet(), "th", "he", "an", "in", ...extra, ...tinySpecials];
  const end = tokens.length - 1;
  const entries: GgufEntry[] = [
    ["general.architecture", "string", architecture],
    ["general.name", "string", `tiny ${architecture}`],
    [`${architecture}.block_count`, "u32", layers],
    [`${architecture}.context_length`, "u32", contextLength],
    [`${architecture}.embedding_length`, "u32", hidden],
    [`${architecture}.feed_forward_length`, "u32", ffn],
    [`${architecture}.attention.head_count`, "u32", heads],
    [`${architecture}.attention.head_count_kv`, "u32", kvHeads],
    [`${architecture}.attention.layer_norm_rms_epsilon`, "f32", 1e-6],
    [`${architecture}.rope.freq_base`, "f32", 10000],
    ["tokenizer.ggml.model", "string", "gpt2"],
    ["tokenizer.ggml.pre", "string", "gpt-2"],
    ["tokenizer.ggml.tokens", "string[]", tokens],
    ["tokenizer.ggml.token_type", "i32[]", tokens.map((_, id) => (id > end - tinySpecials.length ? 3 : 1))],
    ["tokenizer.ggml.merges", "string[]", ["t h", "h e", "a n", "i n"]],
    ["tokenizer.ggml.bos_token_id", "u32", end - 2],
    ["tokenizer.ggml.eos_token_id", "u32", end],
    ["tokenizer.ggml.add_bos_token", "bool", false],
    ["tokenizer.chat_template", "string", chatTemplate],
  ];
  const replaced = new Set((options.metadata ?? []).map(([key]) => key));
  return [...entries.filter(([key]) => !replaced.has(key)), ...(options.metadata ?? [])];
}

function values(count: number, make: () => number): Float32Array {
  return Float32Array.from({ length: count }, make);
}

function vector(name: string, length: number, make: () => number): GgufTensor {
  return { name, shape: [length], type: 0, data: new Uint8Array(values(length, make).buffer) };
}

function tensorsOf(options: TinyModelOptions): GgufTensor[] {
  const { architecture = "llama", format = "f32", seed = 1 } = options;
  const { layers, hidden, heads, kvHeads, ffn } = sizes(options);
  const headDim = hidden / heads;
  const rng = seededRng(seed);
  const matrix = (name: string, rows: number, cols: number): GgufTensor => {
    const wanted = typeof format === "string" ? format : format(name);
    const used = [wanted, "f32"]
      .flatMap((one) => formats.find((candidate) => candidate.name === one) ?? [])
      .find(({ blockSize }) => cols % blockSize === 0);
    if (!used) throw new Error(`${wanted} cannot be written`);
    // Formats that nothing is quantized to hold whatever a file could.
    const normal = values(rows * cols, () => rng.normal() / Math.sqrt(cols));
    const data = used.quantize?.(normal) ?? used.sample(rng, (rows * cols) / used.blockSize);
    return { name: `${name}.weight`, shape: [rows, cols], type: used.ggufType, data };
  };
  const norm = (name: string, length = hidden): GgufTensor => vector(`${name}.weight`, length, () => 1 + 0.1 * rng.normal());
  const layer = (index: number): GgufTensor[] => {
    const l = `blk.${index}.`;
    const widths = { attn_q: heads * headDim, attn_k: kvHeads * headDim, attn_v: kvHeads * headDim };
    const projections = Object.entries(widths).map(([name, width]) => matrix(l + name, width, hidden));
    const biases = Object.entries(widths).map(([name, width]) => vector(`${l}${name}.bias`, width, () => 0.25 * rng.normal()));
    return [
      norm(`${l}attn_norm`),
      ...projections,
      ...(architecture === "qwen2" ? biases : []),
      ...(architecture === "qwen3" ? [norm(`${l}attn_q_norm`, headDim), norm(`${l}attn_k_norm`, headDim)] : []),
      matrix(`${l}attn_output`, hidden, heads * headDim),
      norm(`${l}ffn_norm`),
      matrix(`${l}ffn_gate`, ffn, hidden),
      matrix(`${l}ffn_up`, ffn, hidden),
      matrix(`${l}ffn_down`, hidden, ffn),
    ];
  };
  const layerTensors = Array.from({ length: layers }, (_, index) => layer(index)).flat();
  const vocab = tinyVocabSize + (options.extraTokens ?? 0);
  const head = options.untied ? [matrix("output", vocab, hidden)] : [];
  return [matrix("token_embd", vocab, hidden), ...layerTensors, norm("output_norm"), ...head];
}
