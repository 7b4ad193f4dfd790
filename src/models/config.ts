// The canonical configuration of a decoder, read from GGUF metadata and checked against itself before anything is
// allocated. Fields are Hugging Face's config.json names in the house's spelling.

import { ShaderloomError } from "../base/errors.ts";
import { mostTokens } from "../base/layout.ts";
import type { Metadata } from "../base/metadata.ts";
import type { Activation } from "../graph/ir.ts";
import type { RopeScaling } from "./rope_table.ts";

/** Sizes and constants of a decoder-only transformer. */
export interface ModelConfig {
  readonly architecture: string;
  readonly name: string;
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  /** Context the model was trained for, in tokens. */
  readonly contextLength: number;
  readonly normEps: number;
  readonly ropeTheta: number;
  /** Leading dimensions of each head that are rotated. */
  readonly rotaryDim: number;
  readonly ropeScaling: RopeScaling | undefined;
  /** What gates the feed-forward blocks: ReLU in models retrained for sparse activations (arXiv:2310.04564). */
  readonly activation: Activation;
  /** Where layers see only the newest tokens. */
  readonly slidingWindow?: SlidingWindow;
}

/** A query of the layers from `firstLayer` on sees the `tokens` newest keys, its own included. arXiv:2310.06825 */
export interface SlidingWindow {
  readonly tokens: number;
  readonly firstLayer: number;
}

/** Typed access to `<architecture>.*` keys. */
export interface MetadataReader {
  /** A positive integer; without a fallback the key must exist. */
  integer(key: string, fallback?: number): number;
  /** A finite number. */
  number(key: string, fallback?: number): number;
  text(key: string): string | undefined;
}

function configError(key: string, problem: string): ShaderloomError {
  return new ShaderloomError(
    "MODEL.config",
    `The model's ${key} ${problem}. The file is damaged or made for another engine; get it from its source again.`,
    {
      detail: { key },
    },
  );
}

export function metadataReader(metadata: Metadata, architecture: string): MetadataReader {
  const value = (key: string): unknown => metadata.get(`${architecture}.${key}`);
  const number = (key: string, fallback?: number): number => {
    const found = value(key) ?? fallback;
    if (typeof found !== "number" || !Number.isFinite(found)) {
      throw configError(`${architecture}.${key}`, found === undefined ? "is missing" : `is no number`);
    }
    return found;
  };
  return {
    number,
    integer(key, fallback) {
      const found = number(key, fallback);
      if (!Number.isSafeInteger(found) || found <= 0) throw configError(`${architecture}.${key}`, `is ${found}, not a positive integer`);
      return found;
    },
    text(key) {
      const found = value(key);
      return typeof found === "string" ? found : undefined;
    },
  };
}

/** Largest sizes that any published dense model comes near; above them a file is hostile or broken. */
const caps = {
  vocabSize: mostTokens,
  numLayers: 1024,
  hiddenSize: 65536,
  intermediateSize: 1 << 20,
  numHeads: 1024,
  headDim: 512,
  contextLength: 1 << 27,
};
const cappedSizes = ["vocabSize", "numLayers", "hiddenSize", "intermediateSize", "numHeads", "headDim", "contextLength"] as const;

/**
 * Reads the keys that llama-family files share.
 * @throws {ShaderloomError} MODEL.config naming the key that is missing, out of range or at odds with another
 */
export function readConfig(metadata: Metadata, architecture: string, vocabSize: number): ModelConfig {
  const read = metadataReader(metadata, architecture);
  const numHeads = read.integer("attention.head_count");
  const hiddenSize = read.integer("embedding_length");
  if (hiddenSize % numHeads !== 0 && metadata.get(`${architecture}.attention.key_length`) === undefined) {
    throw configError(`${architecture}.embedding_length`, `is ${hiddenSize}, not a multiple of its ${numHeads} heads`);
  }
  const headDim = read.integer("attention.key_length", Math.floor(hiddenSize / numHeads));
  const slidingWindow = readWindow(read);
  const config: ModelConfig = {
    architecture,
    name: String(metadata.get("general.name") ?? architecture),
    numLayers: read.integer("block_count"),
    hiddenSize,
    intermediateSize: read.integer("feed_forward_length"),
    numHeads,
    numKvHeads: read.integer("attention.head_count_kv", numHeads),
    headDim,
    vocabSize,
    contextLength: read.integer("context_length"),
    normEps: read.number("attention.layer_norm_rms_epsilon"),
    ropeTheta: read.number("rope.freq_base", 10000),
    rotaryDim: read.integer("rope.dimension_count", headDim),
    ropeScaling: readScaling(read, architecture),
    activation: readActivation(read),
    ...(slidingWindow && { slidingWindow }),
  };
  check(config, read.integer("attention.value_length", headDim));
  return config;
}

/** `hidden_activation` of GGUF, which llama files lack; and Hugging Face's names. Squares (relu2) are beyond half precision. */
function readActivation(read: MetadataReader): Activation {
  const name = read.text("hidden_activation") ?? "silu";
  if (name === "relu") return name;
  if (name === "silu" || name === "swish") return "silu";
  const message = `Feed-forward blocks with "${name.slice(0, 60)}" are not supported. Use a model with SiLU or ReLU.`;
  throw new ShaderloomError("UNSUPPORTED.config", message, { detail: { key: "hidden_activation" } });
}

/** A window that files state; the layer it begins with is a key of our own, for what a config.json says. */
function readWindow(read: MetadataReader): SlidingWindow | undefined {
  const tokens = read.number("attention.sliding_window", 0);
  // 0 is how files say that there is none.
  if (tokens === 0 || tokens >= read.integer("context_length")) return undefined;
  return { tokens: read.integer("attention.sliding_window"), firstLayer: read.number("attention.sliding_window_first_layer", 0) };
}

function check(config: ModelConfig, valueLength: number): void {
  const key = (name: string): string => `${config.architecture}.${name}`;
  for (const name of cappedSizes) {
    const [value, cap] = [config[name], caps[name]];
    if (value > cap) throw configError(name, `is ${value}, above the ${cap} that this engine allows`);
  }
  if (config.numHeads % config.numKvHeads !== 0) {
    throw configError(key("attention.head_count_kv"), `is ${config.numKvHeads}, which does not divide ${config.numHeads} heads`);
  }
  if (config.headDim % 4 !== 0) throw configError(key("attention.key_length"), `is ${config.headDim}, not a multiple of 4`);
  if (valueLength !== config.headDim)
    throw configError(key("attention.value_length"), `is ${valueLength}, not the key length ${config.headDim}`);
  if (config.rotaryDim > config.headDim || config.rotaryDim % 2 !== 0) {
    throw configError(key("rope.dimension_count"), `is ${config.rotaryDim}, not an even number up to the head size ${config.headDim}`);
  }
  if (!(config.normEps > 0 && config.normEps < 1))
    throw configError(key("attention.layer_norm_rms_epsilon"), `is ${config.normEps}, not between 0 and 1`);
  if (!(config.ropeTheta > 0)) throw configError(key("rope.freq_base"), `is ${config.ropeTheta}, not above 0`);
}

/**
 * `rope.scaling.*` of GGUF, where llama3 scaling comes as a `rope_freqs` tensor instead. `llama3` and the attention factor are keys of our
 * own, for what a config.json says.
 */
function readScaling(read: MetadataReader, architecture: string): RopeScaling | undefined {
  const type = read.text("rope.scaling.type");
  // Old files carry only `rope.scale_linear`.
  const factor = read.number("rope.scaling.factor", read.number("rope.scale_linear", 1));
  if (type === undefined || type === "none") return factor > 1 ? { type: "linear", factor } : undefined;
  if (type === "linear") return { type: "linear", factor };
  if (type === "llama3") {
    return {
      type,
      factor: read.number("rope.scaling.factor"),
      lowFreqFactor: read.number("rope.scaling.low_freq_factor"),
      highFreqFactor: read.number("rope.scaling.high_freq_factor"),
      originalContextLength: read.integer("rope.scaling.original_context_length"),
    };
  }
  if (type === "yarn") {
    const attention = read.number("rope.scaling.attention_factor", 0);
    return {
      ...(attention > 0 ? { attentionFactor: attention } : {}),
      type: "yarn",
      factor,
      originalContextLength: read.integer("rope.scaling.original_context_length", read.integer("context_length")),
      betaFast: read.number("rope.scaling.yarn_beta_fast", 32),
      betaSlow: read.number("rope.scaling.yarn_beta_slow", 1),
    };
  }
  throw new ShaderloomError(
    "UNSUPPORTED.rope",
    `RoPE scaling "${type}" of ${architecture} is not supported. Use a model with linear, llama3 or YaRN scaling.`,
    {
      detail: { type },
    },
  );
}
