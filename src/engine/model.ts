// What a file says, checked against itself: its architecture, configuration, context, graph and which tensors that uses.
// Allocates nothing on the GPU.

import { assert, ShaderloomError } from "../base/errors.ts";
import { type KvLayout, kvPageBytes, kvTailBytes } from "../base/layout.ts";
import { type Formats, loadFormats } from "../formats/index.ts";
import type { Caps } from "../gpu/caps.ts";
import { GraphBuilder, weightsOf } from "../graph/builder.ts";
import type { Graph, Table } from "../graph/ir.ts";
import type { Architecture } from "../models/architecture.ts";
import type { ModelConfig } from "../models/config.ts";
import { architectureOf } from "../models/index.ts";
import { ropeTable } from "../models/rope_table.ts";
import { type ModelHeader, type TensorInfo, typesOf } from "../weights/tensor_info.ts";
import type { ByteSource } from "../weights/source.ts";
import { chooseContextLength, type KvPool, planKv, planKvPool } from "./budget.ts";
import { chooseKv, type KvEvictOptions, type KvOptions } from "./kv_options.ts";

export interface ModelOptions {
  readonly contextLength?: number | undefined;
  readonly activations?: "f32" | "f16" | "int8" | undefined;
  /** How keys and values are kept. */
  readonly kv?: KvOptions | undefined;
  readonly caps: Caps;
  /** Whether the file's data are not at hand: what would be read of weights is made up. */
  readonly headerOnly?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface LoadedModel {
  readonly file: ModelHeader;
  readonly architecture: Architecture;
  readonly config: ModelConfig;
  readonly contextLength: number;
  readonly activations: "f32" | "f16" | "int8";
  readonly kv: KvLayout;
  readonly kvPool: KvPool;
  /** How tokens are dropped, if they are. */
  readonly evict?: KvEvictOptions | undefined;
  readonly graph: Graph;
  readonly tables: readonly Table[];
  readonly usedTensors: readonly TensorInfo[];
  /** Those of the used tensors, and those that they are stored as. */
  readonly formats: Formats;
}

/** @throws {ShaderloomError} UNSUPPORTED, MODEL, CONTEXT, REQUEST.kv, GPU.limits, GPU.unavailable (f16 asked for where there is none) */
export async function buildModel(file: ModelHeader, source: ByteSource, options: ModelOptions): Promise<LoadedModel> {
  const { metadata, tensors } = file;
  const architecture = architectureOf(metadata.get("general.architecture"));
  const embedding = weightsOf(tensors)("token_embd");
  const vocabSize = embedding.shape[0];
  const tokens = metadata.get("tokenizer.ggml.tokens");
  if (Array.isArray(tokens)) checkVocabulary(tokens.length, vocabSize);
  const config = architecture.config(metadata, vocabSize);
  const activations = options.activations ?? "f32";
  if (activations === "f16" && !options.caps.f16) {
    throw new ShaderloomError("GPU.unavailable", 'This GPU has no 16-bit floats in shaders. Use activations: "f32".');
  }
  const contextLength = chooseContextLength(config, options.contextLength);
  const kv = planKv({ config, contextLength, caps: options.caps, choice: chooseKv(options.kv, activations) });
  const { numLayers } = config;
  const bytes = { groupBytes: numLayers * kvPageBytes(kv), tailBytes: numLayers * kvTailBytes(kv) };
  if (options.kv) (await import("./kv_fits.ts")).checkKvFits(options.kv, { contextLength, pageTokens: kv.pageTokens, ...bytes });
  const kvPool = planKvPool({ layout: kv, numLayers, caps: options.caps, kv: options.kv });
  const factors = await readFactors(file, source, architecture, options.signal);
  const rope: Table = {
    name: "rope",
    data: ropeTable({
      rotaryDim: config.rotaryDim,
      theta: config.ropeTheta,
      maxPositions: kv.maxPages * kv.pageTokens,
      ...(config.ropeScaling ? { scaling: config.ropeScaling } : {}),
      ...(factors ? { factors } : {}),
    }),
  };
  const builder = new GraphBuilder();
  const plain = builder.finish(architecture.forward(builder, { config, tensors, rope, pairing: file.pairing ?? architecture.pairing }));
  const usedTensors = usedBy(plain, tensors, architecture);
  const formats = await loadFormats(usedTensors.flatMap(typesOf));
  const { graph, tables } = await regroupedKeys(plain, { file, source, formats, kv, options });
  const rest = { graph, tables: [rope, ...tables], usedTensors, formats, evict: options.kv?.evict };
  return { file, architecture, config, contextLength, activations, kv, kvPool, ...rest };
}

/** Keys that share exponents have their channels brought together by size: a chunk of its own, as no other type wants it. */
async function regroupedKeys(
  graph: Graph,
  { options, kv, ...rest }: { options: ModelOptions } & Pick<LoadedModel, "file" | "formats" | "kv"> & { source: ByteSource },
): Promise<{ readonly graph: Graph; readonly tables: readonly Table[] }> {
  if (kv.type !== "bfp4") return { graph, tables: [] };
  const { regroupChannels } = await import("./channel_order.ts");
  return regroupChannels(graph, { ...rest, headerOnly: options.headerOnly, signal: options.signal });
}

/**
 * A vocabulary of another size than the head means ids that decode to the wrong text.
 * @throws {ShaderloomError} MODEL.config
 */
export function checkVocabulary(tokens: number, vocabSize: number): void {
  if (tokens <= vocabSize) return;
  throw new ShaderloomError(
    "MODEL.config",
    `The vocabulary has ${tokens} tokens and the model ${vocabSize}. Get the file from its source again.`,
    {
      detail: { tokens, vocabSize },
    },
  );
}

/** Tensors that nothing of this engine reads but that change no result. */
const harmless = /^(rope_freqs|rope_factors_(long|short))\.weight$/;

/**
 * Tensors that the graph reads.
 * @throws {ShaderloomError} UNSUPPORTED.tensor when the file holds others: leaving out a weight would give wrong tokens silently
 */
function usedBy(graph: Graph, tensors: ModelHeader["tensors"], architecture: Architecture): TensorInfo[] {
  const names = new Set<string>();
  for (const node of graph.nodes) {
    if ("weight" in node) names.add(node.weight.name);
    if (node.op !== "linear") continue;
    for (const { weight, bias } of node.weights) for (const tensor of bias ? [weight, bias] : [weight]) names.add(tensor.name);
  }
  const strange = [...tensors.keys()].find((name) => !names.has(name) && name !== architecture.ropeFactors && !harmless.test(name));
  if (strange !== undefined) {
    throw new ShaderloomError(
      "UNSUPPORTED.tensor",
      `The file has a tensor ${strange} that the architecture ${architecture.name} does not use here. Choose a plain ${architecture.name} model.`,
      { detail: { tensor: strange } },
    );
  }
  return [...names].map((name) => {
    const tensor = tensors.get(name);
    assert(tensor, `the graph names ${name}, which the file lacks`);
    return tensor;
  });
}

/** Per-frequency RoPE divisors that Llama 3.1 files carry as a small f32 tensor. */
async function readFactors(
  file: ModelHeader,
  source: ByteSource,
  architecture: Architecture,
  signal: AbortSignal | undefined,
): Promise<Float32Array | undefined> {
  const tensor = architecture.ropeFactors === undefined ? undefined : file.tensors.get(architecture.ropeFactors);
  if (!tensor) return undefined;
  const format = (await loadFormats([tensor.type])).get(tensor.type);
  if (!format || tensor.shape.length !== 1) {
    throw new ShaderloomError(
      "MODEL.shape",
      `Tensor ${tensor.name} is no plain vector. The file is damaged; get it from its source again.`,
    );
  }
  const factors = new Float32Array(tensor.shape[0]);
  format.dequantize(await source.read(tensor.offset, tensor.bytes, { signal }), factors);
  return factors;
}
