// The contract of an architecture: its configuration from metadata and its forward pass on the graph builder. One
// architecture = one file here and one line in index.ts. A model never sees a buffer.

import type { Metadata } from "../base/metadata.ts";
import type { GraphBuilder, TensorTable } from "../graph/builder.ts";
import type { Pairing, Table, Value } from "../graph/ir.ts";
import type { ModelConfig } from "./config.ts";
import type { HuggingFaceMapping } from "./huggingface.ts";

/** What a forward pass is built from. */
export interface ForwardInputs {
  readonly config: ModelConfig;
  readonly tensors: TensorTable;
  /** Cosines and sines of every position of the context. */
  readonly rope: Table;
  /** How RoPE pairs dimensions of these weights. */
  readonly pairing: Pairing;
}

/** How Hugging Face names an architecture. */
export interface HuggingFaceNames {
  /** Values of `model_type`. */
  readonly modelTypes: readonly string[];
  /** Values of `architectures`. */
  readonly classes: readonly string[];
  /** What its folders hold: a chunk of its own, as GGUF files need none of it. */
  readonly load: () => Promise<HuggingFaceMapping>;
}

export interface Architecture {
  /** `general.architecture` of GGUF. */
  readonly name: string;
  /** How RoPE pairs dimensions in GGUF files: (i, i + d/2) or (2i, 2i + 1). Hugging Face's weights are always paired by halves. */
  readonly pairing: Pairing;
  config(metadata: Metadata, vocabSize: number): ModelConfig;
  /** Tensor with per-frequency RoPE divisors, read at load when the file has it. */
  readonly ropeFactors?: string;
  /** How a Hugging Face folder describes the same architecture; without it only GGUF files of it run. */
  readonly fromHuggingFace?: HuggingFaceNames;
  /** Logits of the output rows. */
  forward(g: GraphBuilder, inputs: ForwardInputs): Value;
}
