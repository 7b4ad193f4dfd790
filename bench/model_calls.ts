// The kernel calls of models that people run, without their weights: one layer and the head of each, every call once.

import { assert } from "../src/base/errors.ts";
import type { WeightFormat } from "../src/formats/format.ts";
import type { Caps } from "../src/gpu/caps.ts";
import { planKv } from "../src/engine/budget.ts";
import { chooseKv } from "../src/engine/kv_options.ts";
import { GraphBuilder, type TensorTable } from "../src/graph/builder.ts";
import type { KernelCall } from "../src/graph/call.ts";
import { lower } from "../src/graph/lower.ts";
import { rowsOver } from "../src/graph/tiers.ts";
import type { KernelTarget, Precision } from "../src/kernels/kernel.ts";
import { architectureOf } from "../src/models/index.ts";
import { ropeTable } from "../src/models/rope_table.ts";
import { type ModelShape, tensorsOf } from "./random_model.ts";

/** Sizes of Qwen 2.5 0.5B, Llama 3.2 1B and 3B, Llama 3.1 8B, from their config.json. All run as a Llama here. */
export const benchModels: Readonly<Record<string, ModelShape>> = {
  "0.5b": { hidden: 896, layers: 24, heads: 14, kvHeads: 2, ffn: 4864, vocab: 151936 },
  "1b": { hidden: 2048, layers: 16, heads: 32, kvHeads: 8, ffn: 8192, vocab: 128256 },
  "3b": { hidden: 3072, layers: 28, heads: 24, kvHeads: 8, ffn: 8192, vocab: 128256 },
  "8b": { hidden: 4096, layers: 32, heads: 32, kvHeads: 8, ffn: 14336, vocab: 128256 },
};

/** Context that pages are planned for. */
const contextLength = 2048;

export type Phase = "prefill" | "decode";

/** A call of a model's step, with the rows that its program has. */
export interface ModelCall {
  readonly call: KernelCall;
  readonly target: KernelTarget;
}

export interface CallOptions {
  readonly caps: Caps;
  readonly precision: Precision;
  readonly phase: Phase;
  /** Of all matrices; those whose rows it cannot store are left out. */
  readonly format: WeightFormat;
  /** Activation rows of a prefill step. */
  readonly prefillRows: number;
}

/** Calls of a step of that model, each shape of a kernel once. */
export function modelCalls(name: string, { caps, precision, phase, format, prefillRows }: CallOptions): ModelCall[] {
  const shape = benchModels[name];
  assert(shape, `no model ${name}: ${Object.keys(benchModels).join(", ")}`);
  const architecture = architectureOf("llama");
  const config = architecture.config(
    new Map<string, number>([
      ["llama.block_count", 1],
      ["llama.context_length", contextLength],
      ["llama.embedding_length", shape.hidden],
      ["llama.feed_forward_length", shape.ffn],
      ["llama.attention.head_count", shape.heads],
      ["llama.attention.head_count_kv", shape.kvHeads],
      ["llama.attention.layer_norm_rms_epsilon", 1e-5],
    ]),
    shape.vocab,
  );
  const tensors = tensorTable({ ...shape, layers: 1 }, format);
  const kv = planKv({ config, contextLength, caps, choice: chooseKv(undefined, precision) });
  const { rotaryDim, ropeTheta } = config;
  const rope = { name: "rope", data: ropeTable({ rotaryDim, theta: ropeTheta, maxPositions: kv.maxPages * kv.pageTokens }) };
  const builder = new GraphBuilder();
  const graph = builder.finish(architecture.forward(builder, { config, tensors, rope, pairing: architecture.pairing }));
  const target = { caps, deviceClass: caps.deviceClass, precision, maxRows: phase === "prefill" ? prefillRows : 1 };
  const { calls } = lower(graph, { phase, target, kv, formats: new Map([[format.ggufType, format]]), scoreTopK: 20 });
  const found = new Map<string, ModelCall>();
  for (const call of calls) {
    // Of a tensor that is split, the first part stands for all.
    if (call.weights.some(({ cols, rowStart }) => cols % format.blockSize !== 0 || rowStart > 0)) continue;
    const own = rowsOver(call) === "outputRows" ? { ...target, maxRows: 1 } : target;
    const key = callKey(call, own);
    if (!found.has(key)) found.set(key, { call, target: own });
  }
  return [...found.values()];
}

/** The same for calls that do the same work. */
export function callKey(call: KernelCall, { precision, maxRows }: KernelTarget): string {
  return [call.kernel, precision, maxRows, call.visit((_, attributes) => attributesText(attributes))].join(" ");
}

/** Everything that the model fixes of a kernel, formats by their names. */
export function attributesText(attributes: unknown): string {
  return JSON.stringify(attributes, (key, value: unknown) => {
    return key === "format" && typeof value === "object" && value !== null && "name" in value ? value.name : value;
  });
}

function tensorTable(shape: ModelShape, format: WeightFormat): TensorTable {
  const tensors = tensorsOf(shape, {
    matrix: (name, rows, cols) => ({ name: `${name}.weight`, type: format.ggufType, shape: [rows, cols] }),
    norm: (name) => ({ name: `${name}.weight`, type: 0, shape: [shape.hidden] }),
  });
  return new Map(tensors.map((tensor) => [tensor.name, tensor]));
}
