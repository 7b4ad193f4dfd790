// A seeded llama gated by ReLU whose neurons are active by topic, which is known of every token: a model with a stated locality, as none of
// a few megabytes has been trained to. Bundles of neurons of one topic lie side by side, as they do after sorting neurons by what they are
// active with.

import { assert } from "../base/errors.ts";
import { seededRng } from "../base/rng.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { formatByGgufType } from "./formats.ts";
import { tinyModel, tinyVocabSize } from "./tiny_model.ts";

export interface TopicModelOptions {
  readonly format: string;
  readonly layers: number;
  /** Bundles of 32 neurons in each layer. */
  readonly bundles: number;
  readonly topics: number;
  /** Bundles of each topic, and those that every token uses; the rest are active by chance. */
  readonly own: number;
  readonly shared: number;
  readonly seed: number;
  readonly contextLength: number;
  readonly activation?: "relu" | "silu";
}

const hidden = 256;
/** Lengths of an embedding along its topic's direction and along one that all have; the rest is normal. */
const topicSize = 16;
const constantSize = 8;
const noise = 0.5;

/** The topic of a token. */
export function topicOf(token: number, topics: number): number {
  return token % topics;
}

/** Tokens that stay with a topic: `stay` is the probability that the next has the same one. */
export function topicTokens(count: number, { topics, stay, seed }: { topics: number; stay: number; seed: number }): number[] {
  const rng = seededRng(seed);
  let topic = rng.below(topics);
  return Array.from({ length: count }, () => {
    if (rng.unit() > stay) topic = rng.below(topics);
    return topic + topics * rng.below(Math.floor(256 / topics));
  });
}

export async function topicModel(options: TopicModelOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { format, layers, bundles, seed, contextLength } = options;
  const file = tinyModel({
    format,
    layers,
    hidden,
    heads: 4,
    kvHeads: 2,
    ffn: bundles * 32,
    seed,
    contextLength,
    untied: true,
    metadata: [["llama.hidden_activation", "string", options.activation ?? "relu"]],
  });
  const { tensors } = await openGguf(bytesSource(file));
  const rng = seededRng(seed + 1);
  for (const { name, type, shape, offset, bytes } of tensors.values()) {
    const value = elementOf(name, options, () => rng.normal());
    if (!value) continue;
    const cols = shape[1];
    const values = Float32Array.from({ length: shape[0] * cols }, (_, at) => value(Math.floor(at / cols), at % cols));
    const packed = formatByGgufType.get(type)?.quantize?.(values);
    assert(packed?.length === bytes, `${name} cannot be written`);
    file.set(packed, offset);
  }
  return file;
}

type Element = (row: number, col: number) => number;

/** An element of one of 256 directions at right angles to each other, none of which is that of a few dimensions. */
function direction(index: number, col: number): number {
  let bits = (index * 37) & col;
  for (let shift = 4; shift > 0; shift >>= 1) bits ^= bits >> shift;
  return bits & 1 ? -1 / 16 : 1 / 16;
}

/** What the elements of a matrix are, of those that the topics need. */
function elementOf(name: string, { topics, own, shared }: TopicModelOptions, normal: () => number): Element | undefined {
  const constant = topics + 1;
  if (name === "token_embd.weight") {
    return (token, col) => {
      const topic = token < tinyVocabSize - 3 ? topicSize * direction(1 + topicOf(token, topics), col) : 0;
      return topic + constantSize * direction(constant, col) + noise * normal();
    };
  }
  if (name === "output.weight") return (token, col) => 0.5 * direction(1 + topicOf(token, topics), col) + 0.15 * normal();
  if (name.endsWith("ffn_gate.weight")) {
    return (neuron, col) => {
      const bundle = Math.floor(neuron / 32);
      const topic = Math.floor((bundle - shared) / own);
      const liked = bundle >= shared && topic < topics ? 0.55 * direction(1 + topic, col) : 0;
      return liked + (bundle < shared ? 0.25 : -0.6) * direction(constant, col) + 0.03 * normal();
    };
  }
  if (name.endsWith("ffn_down.weight")) return () => 0.01 * normal();
  if (name.endsWith("attn_output.weight")) return () => 0.05 * normal();
  return undefined;
}
