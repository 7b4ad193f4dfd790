// Decode steps of a small model with its feed-forward blocks whole, or over bundles of neurons in slots: the engine's own programs without
// its loop, so that both can be given the same tokens and every value looked at. Records are kept in this process and counted.

import { assert, type ShaderloomError } from "../base/errors.ts";
import { Control } from "../engine/control.ts";
import { buildModel, type LoadedModel } from "../engine/model.ts";
import { consecutiveRows } from "../engine/runner.ts";
import { type BlockBytes, packBundle } from "../formats/bundle.ts";
import { packMatrix, type WeightFormat } from "../formats/format.ts";
import { ternary } from "../formats/shadow.ts";
import { tq2_0 } from "../formats/tq2_0.ts";
import { BufferLedger } from "../gpu/buffers.ts";
import { openDevice, type OpenDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { createReadback, type Readback } from "../gpu/readback.ts";
import { defaultFusion } from "../graph/fuse/index.ts";
import type { Value } from "../graph/ir.ts";
import { planLayout, type WeightLayout } from "../graph/layout.ts";
import { lower } from "../graph/lower.ts";
import { isNeuronSlab, type NeuronLayer, passesWithoutNeurons, withNeurons } from "../graph/neurons.ts";
import { allocateActivations, compileProgram, type Program } from "../graph/program.ts";
import { PagedCache } from "../kv/paged_cache.ts";
import { NeuronCache, type RecordReader } from "../streaming/neurons/neuron_cache.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { loadWeights } from "../weights/loader.ts";
import { shaderFiles } from "./shader_files.ts";

export interface NeuronRunOptions {
  readonly deviceClass: "cpu" | "gpu";
  readonly activations: "f32" | "f16";
  /** Absent: blocks are whole. */
  readonly neurons?: {
    /** Bundles that each layer has room for. */
    readonly slots: number;
    /** Whether a coarse copy of gate tells which bundles were missing. */
    readonly shadow: boolean;
    readonly halfLife: number;
    readonly threshold?: number;
    /** Runs a token again when more than this share of its active neurons probably was missing, at most so often. */
    readonly again?: { readonly above: number; readonly times: number };
    /** Stands between the records and the cache. */
    readonly reader?: (records: RecordReader) => RecordReader;
  };
}

/** An open model; steps are one token each. */
export interface NeuronRun {
  readonly model: LoadedModel;
  readonly layers: readonly NeuronLayer[];
  readonly cache: NeuronCache | undefined;
  readonly ledger: BufferLedger;
  /** Bytes of all records. */
  readonly recordBytes: number;
  /** Logits after a token at a position. */
  step(id: number, position: number): Promise<Float32Array>;
  /** A kept value of the last step, without padding of rows. */
  value(value: Value): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Fails on anything that the device calls an error. */
export async function openNeuronRun(gpu: GPU, file: Uint8Array<ArrayBuffer>, options: NeuronRunOptions): Promise<NeuronRun> {
  const opened = await openDevice(gpu, { deviceClass: options.deviceClass });
  const ledger = new BufferLedger(opened.device);
  let failure: ShaderloomError | undefined;
  opened.onFailure((error) => {
    failure = error;
  });
  const made = await prepare(opened, ledger, file, options);
  const { program, control, model, cache, layers, readback, logits } = made;
  const read = async (source: GPUBuffer, bytes: number): Promise<Float32Array> => {
    const slot = readback.take(bytes);
    const encoder = opened.device.createCommandEncoder();
    slot.copy(encoder, { source, bytes });
    opened.device.queue.submit([encoder.finish()]);
    return new Float32Array(await slot.read());
  };
  const runToken = async (id: number, position: number): Promise<{ readonly found: Float32Array; readonly missing: number }> => {
    await cache?.beforeToken();
    control.writeDecode({ rows: consecutiveRows([id], position, 0), outputRows: [0] });
    const encoder = opened.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    program.encode(pass, { rows: 1, outputRows: 1, contextTokens: position + 1 });
    pass.end();
    const reports = layers.map(({ active, shadow }) => {
      return { active: program.buffer(active), scores: shadow && program.buffer(shadow.scores) };
    });
    cache?.encodeReport(encoder, reports);
    opened.device.queue.submit([encoder.finish()]);
    const found = await read(program.buffer(logits), model.config.vocabSize * 4);
    const missing = (await cache?.afterToken()) ?? 0;
    if (failure) throw failure;
    return { found, missing };
  };
  return {
    model,
    layers,
    cache,
    ledger,
    recordBytes: layers.reduce((sum, { plan }) => sum + plan.bundles * plan.recordBytes, 0),
    async step(id, position) {
      for (let times = options.neurons?.again?.times ?? 0; ; times--) {
        const { found, missing } = await runToken(id, position);
        if (times <= 0 || missing <= (options.neurons?.again?.above ?? 0)) return found;
      }
    },
    value: (value) => read(program.buffer(value), value.cols * 4),
    async close() {
      await cache?.close();
      ledger.destroyAll();
      opened.destroy();
    },
  };
}

interface Prepared {
  readonly program: Program;
  readonly control: Control;
  readonly model: LoadedModel;
  readonly cache: NeuronCache | undefined;
  readonly layers: readonly NeuronLayer[];
  readonly readback: Readback;
  readonly logits: Value;
}

async function prepare(
  { device, caps }: OpenDevice,
  ledger: BufferLedger,
  file: Uint8Array<ArrayBuffer>,
  { deviceClass, activations, neurons }: NeuronRunOptions,
): Promise<Prepared> {
  const source = bytesSource(file);
  const model = await buildModel(await openGguf(source), source, { caps, activations });
  const target = { caps, deviceClass, precision: activations, maxRows: 1 } as const;
  const fusion = new Set([...defaultFusion("decode", target)].filter((name) => !passesWithoutNeurons.has(name)));
  const lowered = lower(model.graph, { phase: "decode", target, kv: model.kv, formats: model.formats, scoreTopK: 5, fusion });
  const shadow = neurons?.shadow ? (): WeightFormat => tq2_0 : undefined;
  const { activation } = model.config;
  const whole = neurons
    ? withNeurons(lowered, { formats: model.formats, activation, slots: () => neurons.slots, shadow })
    : { ...lowered, layers: [] };
  const end = whole.sections.find(({ name }) => name === "head")?.end ?? 0;
  const calls = whole.calls.slice(0, end);
  const layout = planLayout(calls, new Map([...model.formats, [tq2_0.ggufType, tq2_0]]), caps.maxBindingBytes);
  const slabs = layout.plan.slabs.filter(({ name }) => !isNeuronSlab(name));
  const buffers = new Map(slabs.map(({ name, bytes }) => [name, ledger.create("weights", { label: name, size: Math.max(bytes, 256) })]));
  const buffer = (name: string): GPUBuffer => {
    const found = buffers.get(name);
    assert(found, `there is no ${name}`);
    return found;
  };
  await loadWeights({
    source,
    tensors: model.file.tensors,
    plan: { slabs, bytes: layout.plan.bytes },
    formats: model.formats,
    upload: (slab, at, bytes) => device.queue.writeBuffer(buffer(slab), at, bytes),
  });
  const readback = createReadback(ledger);
  const made = { device, ledger, readback, layout, buffers };
  const cache = neurons && (await makeCache(model, whole.layers, { ...made, file, neurons }));
  const pages = new PagedCache(device, ledger, {
    layout: model.kv,
    numLayers: model.config.numLayers,
    initialPages: model.kv.maxPages,
    slots: 1,
  });
  pages.reserve(0, model.contextLength);
  const control = new Control(device, ledger, { prefillRows: 1, decodeRows: 1, slots: 1, maxPages: model.kv.maxPages });
  control.setPages(0, pages.pages(0));
  for (const { name, data } of model.tables) {
    buffers.set(name, ledger.create("other", { label: name, size: data.byteLength }));
    device.queue.writeBuffer(buffer(name), 0, data);
  }
  const kept = whole.layers.flatMap(({ active, shadow: coarse, input, neurons: values, output }) => [
    active,
    input,
    values,
    output,
    ...(coarse ? [coarse.scores] : []),
  ]);
  const rest = {
    label: "decode",
    calls,
    sections: whole.sections.filter((section) => section.end <= end),
    keep: [lowered.logits, ...kept],
  };
  const sizes = { maxRows: 1, maxOutputRows: 1, stepRows: 1, activationBytes: activations === "f16" ? 2 : 4 };
  const programOptions = { ...rest, ...sizes, device, ledger, layout, target };
  const compiling = { pipelines: createPipelineCache(device, shaderFiles), activations: allocateActivations(programOptions) };
  const program = await compileProgram(programOptions, compiling);
  program.bind({
    slab: (name) => ({ buffer: buffer(name) }),
    table: buffer,
    kv: (layer) => pages.pool(layer),
    pages: control.pages,
    state: control.decodeState,
  });
  return { program, control, model, cache, layers: whole.layers, readback, logits: lowered.logits };
}

interface CacheParts {
  readonly device: GPUDevice;
  readonly ledger: BufferLedger;
  readonly readback: Readback;
  readonly layout: WeightLayout;
  readonly buffers: Map<string, GPUBuffer>;
  readonly file: Uint8Array<ArrayBuffer>;
  readonly neurons: NonNullable<NeuronRunOptions["neurons"]>;
}

/** File bytes of a tensor. */
function tensorBytes(model: LoadedModel, file: Uint8Array<ArrayBuffer>, name: string): Uint8Array<ArrayBuffer> {
  const tensor = model.file.tensors.get(name);
  assert(tensor, `there is no tensor ${name}`);
  return file.slice(tensor.offset, tensor.offset + tensor.bytes);
}

async function makeCache(model: LoadedModel, layers: readonly NeuronLayer[], parts: CacheParts): Promise<NeuronCache> {
  const { device, ledger, readback, layout, buffers, file, neurons } = parts;
  const records = layers.map((layer) => packLayer(layer, blockBytes(model, file, layer)));
  const memory: RecordReader = {
    async read(layer, { first, count }, into) {
      const { recordBytes } = layers[layer].plan;
      into.set(records[layer].subarray(first * recordBytes, (first + count) * recordBytes));
    },
  };
  const cache = new NeuronCache({
    device,
    ledger,
    readback,
    layers: layers.map(({ plan, slots }) => ({ ...plan, slots, words: plan.neurons / 32 })),
    reader: neurons.reader?.(memory) ?? memory,
    cost: { fixedMs: 0, bytesPerMs: 1e6 },
    halfLife: neurons.halfLife,
    threshold: neurons.threshold ?? 0,
    staging: { count: 2, bytes: 1 << 18 },
  });
  for (const [index, { ranges, shadow, list, plan, tensors }] of layers.entries()) {
    const made = cache.buffers(index);
    buffers.set(layout.matrix(ranges.up).slab, made.up);
    buffers.set(layout.matrix(ranges.down).slab, made.down);
    buffers.set(list, made.list);
    if (!shadow) continue;
    const values = new Float32Array(plan.bundles * plan.neurons * plan.hidden);
    plan.up.dequantize(tensorBytes(model, file, tensors.gate), values.subarray(0, plan.hidden * plan.intermediate));
    const packed = packMatrix(shadow.format, ternary(values), { rows: plan.bundles * plan.neurons, cols: plan.hidden });
    const { slab, bytes } = layout.matrix(shadow.range);
    const coarse = ledger.create("weights", { label: slab, size: bytes });
    device.queue.writeBuffer(coarse, 0, packed);
    buffers.set(slab, coarse);
  }
  return cache;
}

/** A layer's blocks as they are in the file. */
export function blockBytes(model: LoadedModel, file: Uint8Array<ArrayBuffer>, { tensors }: NeuronLayer): BlockBytes {
  const [gate, up, down] = [tensors.gate, tensors.up, tensors.down].map((name) => tensorBytes(model, file, name));
  return { gate, up, down };
}

function packLayer({ plan }: NeuronLayer, block: BlockBytes): Uint8Array {
  const records = new Uint8Array(plan.bundles * plan.recordBytes);
  for (let bundle = 0; bundle < plan.bundles; bundle++) {
    packBundle(plan, bundle, block, records.subarray(bundle * plan.recordBytes, (bundle + 1) * plan.recordBytes));
  }
  return records;
}
