// A tiny model under any choice of fusion passes: its lowered programs on plain adapters, and logits by the interpreter.

import { assert } from "../base/errors.ts";
import { buildModel, type LoadedModel } from "../engine/model.ts";
import { consecutiveRows } from "../engine/runner.ts";
import type { Caps } from "../gpu/caps.ts";
import type { FusionName } from "../graph/fuse/names.ts";
import { interpret, type InterpreterState } from "../graph/interpret.ts";
import { lower, type Lowered } from "../graph/lower.ts";
import type { CpuKv, Precision } from "../kernels/kernel.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { formatByGgufType } from "./formats.ts";
import { plainCaps } from "./plain_caps.ts";
import { tinyModel, type TinyModelOptions } from "./tiny_model.ts";

/** Passes to apply; left out, those of a load. */
export interface FusedLowering {
  readonly deviceClass: "cpu" | "gpu";
  readonly activations?: Precision;
  readonly fusion?: readonly FusionName[] | undefined;
  readonly maxBindingBytes?: number;
}

export interface FusedModel {
  readonly model: LoadedModel;
  readonly lower: (phase: "prefill" | "decode", lowering: FusedLowering) => Lowered;
  /** Logits after the prompt, then after each of its last tokens as one decode step would give them. */
  readonly logits: (lowering: FusedLowering, ids: readonly number[], decoded: number) => Float32Array[];
}

export async function fusedModel(options: TinyModelOptions, activations: Precision = "f32", caps: Caps = plainCaps): Promise<FusedModel> {
  const source = bytesSource(tinyModel(options));
  const model = await buildModel(await openGguf(source), source, { caps, activations });
  const tensors = new Map<string, Float32Array>();
  for (const { name, type, shape, offset, bytes } of model.file.tensors.values()) {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    formatByGgufType.get(type)?.dequantize(await source.read(offset, bytes), values);
    tensors.set(name, values);
  }
  const lowerOne: FusedModel["lower"] = (phase, { deviceClass, fusion, maxBindingBytes = caps.maxBindingBytes }) => {
    const target = { caps: { ...caps, maxBindingBytes }, deviceClass, precision: activations, maxRows: phase === "prefill" ? 256 : 1 };
    const passes = fusion && { fusion: new Set(fusion) };
    return lower(model.graph, { phase, target, kv: model.kv, formats: formatByGgufType, scoreTopK: 5, ...passes });
  };
  return {
    model,
    lower: lowerOne,
    logits(lowering, ids, decoded) {
      const state = stateOf(model, tensors);
      const prompt = ids.slice(0, ids.length - decoded);
      const run = (phase: "prefill" | "decode", some: readonly number[], position: number): Float32Array => {
        const { calls, sections, logits } = lowerOne(phase, lowering);
        const head = sections.find(({ name }) => name === "head");
        const values = interpret(
          calls.slice(0, head?.end),
          { rows: consecutiveRows(some, position, 0), outputRows: [some.length - 1] },
          state,
        );
        const found = values.get(logits.id);
        assert(found, "the graph made no logits");
        return found.data;
      };
      const steps = ids.slice(prompt.length).map((id, index) => [[id], prompt.length + index] as const);
      return [run("prefill", prompt, 0), ...steps.map(([some, position]) => run("decode", some, position))];
    },
  };
}

function stateOf(model: LoadedModel, tensors: ReadonlyMap<string, Float32Array>): InterpreterState {
  const { numKvHeads, headDim, numLayers } = model.config;
  const maxTokens = model.kv.maxPages * model.kv.pageTokens;
  const layers = Array.from({ length: numLayers }, (): CpuKv => {
    const elements = maxTokens * numKvHeads * headDim;
    return { maxTokens, keys: new Float32Array(elements), values: new Float32Array(elements) };
  });
  return {
    tensor: (name) => {
      const values = tensors.get(name);
      assert(values, `no tensor ${name}`);
      return values;
    },
    kv: (layer) => layers[layer],
  };
}

/** Root of the mean squared difference over that of the mean square. */
export function relativeRms(actual: Float32Array, expected: Float32Array): number {
  let [error, power] = [0, 0];
  for (const [index, value] of expected.entries()) {
    error += (actual[index] - value) ** 2;
    power += value ** 2;
  }
  return Math.sqrt(error / power);
}
