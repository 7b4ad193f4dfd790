// Logits of a GGUF file by the interpreter: the model's own graph on the kernels' references, with nothing but dequantized weights.

import { assert } from "../base/errors.ts";
import type { KvOptions } from "../engine/kv_options.ts";
import { buildModel } from "../engine/model.ts";
import { consecutiveRows } from "../engine/runner.ts";
import type { Caps } from "../gpu/caps.ts";
import { interpret } from "../graph/interpret.ts";
import { lower } from "../graph/lower.ts";
import { quantizedLowering } from "../graph/lower_quantized.ts";
import type { CpuKv } from "../kernels/kernel.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { formatByGgufType } from "./formats.ts";

/** Logits after a prompt, for the whole vocabulary; `kv`: what the cache holds (default f32). */
export async function interpretedLogits(
  gguf: Uint8Array<ArrayBuffer>,
  promptIds: readonly number[],
  caps: Caps,
  kv?: KvOptions,
): Promise<Float32Array> {
  const source = bytesSource(gguf);
  const model = await buildModel(await openGguf(source), source, { caps, activations: "f32", contextLength: undefined, kv });
  const tensors = new Map<string, Float32Array>();
  for (const { name, type, shape, offset, bytes } of model.file.tensors.values()) {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    const format = formatByGgufType.get(type);
    assert(format, `no format ${type}`);
    format.dequantize(await source.read(offset, bytes), values);
    tensors.set(name, values);
  }
  const tensor = (name: string): Float32Array => {
    const values = tensors.get(name);
    assert(values, `no tensor ${name}`);
    return values;
  };
  const { numKvHeads, headDim, numLayers } = model.config;
  const maxTokens = model.kv.maxPages * model.kv.pageTokens;
  const layers = Array.from({ length: numLayers }, (): CpuKv => {
    const elements = maxTokens * numKvHeads * headDim;
    return { maxTokens, keys: new Float32Array(elements), values: new Float32Array(elements) };
  });
  const target = { caps, deviceClass: "cpu", precision: "f32", maxRows: promptIds.length } as const;
  const options = {
    phase: "prefill",
    target,
    kv: model.kv,
    formats: formatByGgufType,
    scoreTopK: 5,
    quantized: quantizedLowering,
  } as const;
  const lowered = lower(model.graph, options);
  const rows = consecutiveRows(promptIds, 0, 0);
  // What comes after the head chooses tokens.
  const end = lowered.sections.find(({ name }) => name === "head")?.end;
  const step = { rows, outputRows: [rows.length - 1] };
  const values = interpret(lowered.calls.slice(0, end), step, { tensor, kv: (layer) => layers[layer] });
  const logits = values.get(lowered.logits.id);
  assert(logits, "the graph made no logits");
  return logits.data;
}
