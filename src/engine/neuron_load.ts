// Opens the streaming of neurons: packs records of the model's files into an image beside the stored model or in memory, makes the coarse
// copies of gate, and joins the cache of bundles to the programs. The one door to this chunk.

import { assert, type ShaderloomError, throwIfAborted } from "../base/errors.ts";
import type { Slab } from "../base/layout.ts";
import { type BlockBytes, packBundle } from "../formats/bundle.ts";
import { fileBytes, packMatrix } from "../formats/format.ts";
import { ternary } from "../formats/shadow.ts";
import type { BufferLedger } from "../gpu/buffers.ts";
import { placedBytes } from "../graph/layout.ts";
import type { NeuronLayer } from "../graph/neurons.ts";
import { sha256 } from "../store/hash.ts";
import { openImage } from "../streaming/image.ts";
import { NeuronCache, type NeuronStats, type RecordReader, type ReportBuffers } from "../streaming/neurons/neuron_cache.ts";
import { imageRecords, planNeuronImage, writeRecords } from "../streaming/neurons/neuron_image.ts";
import { loadWeights } from "../weights/loader.ts";
import type { ByteSource } from "../weights/source.ts";
import type { ExecutionOptions } from "./execution.ts";
import type { LoadedModel } from "./model.ts";
import type { NeuronPlan } from "./neuron_plan.ts";
import type { LoadReport } from "./progress.ts";
import { tensorFacts } from "./residency.ts";
import { type ModelOrigin, originFacts, placeOfImage } from "./image_place.ts";
import { fetchAll, withReopened } from "./streamed_image.ts";
import { NeuronSteps } from "./neuron_steps.ts";
import type { Placed, RunnerPlan } from "./placement.ts";
import type { CompiledPhase, RunnerParts, StepStream } from "./runner_parts.ts";

/** Bundles that come and go. */
export interface StreamedNeurons {
  readonly steps: StepStream;
  /** Whether the model's files were read whole and compared with what they should be. */
  readonly finished: boolean;
  stats(): NeuronStats;
  /** Ends steps. @param error  what those that wait are told */
  close(error: ShaderloomError): void;
}

export interface NeuronLoad {
  readonly parts: Omit<RunnerParts, "stream">;
  readonly plan: RunnerPlan & { readonly neurons: NeuronPlan };
  readonly made: Pick<Placed, "slabs" | "tables">;
  readonly model: LoadedModel;
  readonly source: ByteSource;
  readonly origin: ModelOrigin;
  readonly report: LoadReport;
  readonly ledger: BufferLedger;
  readonly execution: ExecutionOptions;
  readonly checkWeights?: boolean | undefined;
  readonly signal: AbortSignal;
}

/** Tokens after which having been active counts half: traces of 0.9 and more of Belady's hits (bench/neurons.ts). */
const halfLife = 2;
/** Mapped buffers that records are read into, and bytes of each, or a record. */
const staging = { count: 4, bytes: 1 << 20 };

/** @throws {ShaderloomError} GPU.oom, GPU.lost, AbortError, MODEL.values; what reading the file throws */
export async function openNeurons(load: NeuronLoad): Promise<StreamedNeurons> {
  const { parts, plan, ledger, execution } = load;
  const { decode, prefill } = plan.neurons.layers;
  const { reader, finished, close } = await makeRecords(load, decode);
  const slab = (layer: NeuronLayer, which: "up" | "down"): GPUBuffer =>
    required(load.made.slabs, plan.layout.matrix(layer.ranges[which]).slab);
  const cache = new NeuronCache({
    device: parts.device,
    ledger,
    readback: parts.readback,
    layers: decode.map(({ plan: sizes, slots }) => ({ ...sizes, slots, words: sizes.neurons / 32 })),
    buffers: decode.map((layer) => ({ up: slab(layer, "up"), down: slab(layer, "down"), list: required(load.made.tables, layer.list) })),
    reader,
    // A record is a read of its own, checked by itself: reading a gap saves nothing.
    cost: { fixedMs: 0, bytesPerMs: 1 },
    halfLife,
    threshold: execution.neurons?.threshold ?? 0,
    staging,
  });
  const body = parts.decode.lowered.sections.find(({ name }) => name === "body");
  assert(body, "a program has a body");
  const steps = new NeuronSteps({
    queue: parts.device.queue,
    encoder: () => parts.device.createCommandEncoder({ label: "neurons" }),
    cache,
    reports: { decode: reportsOf(parts.decode, decode), prefill: reportsOf(parts.prefill, prefill) },
    body,
  });
  // Whatever ends the session, a load that fails after this too, ends what was opened for it.
  const { signal } = load.origin.again;
  signal.addEventListener("abort", close, { once: true });
  throwIfAborted(signal);
  return { steps, finished, stats: () => ({ ...cache.stats }), close: (error) => steps.close(error) };
}

function reportsOf({ program }: CompiledPhase, layers: readonly NeuronLayer[]): ReportBuffers[] {
  return layers.map(({ active, shadow }) => ({ active: program.buffer(active), scores: shadow && program.buffer(shadow.scores) }));
}

interface Records {
  readonly reader: RecordReader;
  /** Whether all of the source was read and compared with what it should be. */
  readonly finished: boolean;
  readonly close: () => void;
}

/** What records are made of, beside the weights; another version is another image. */
const recordVersion = 1;

/** Records of all layers in an image: beside the stored model, else in memory. Coarse copies of gate go to the GPU on the way. */
async function makeRecords(load: NeuronLoad, layers: readonly NeuronLayer[]): Promise<Records> {
  const { origin, model, checkWeights, signal } = load;
  const sizes = layers.map(({ layer, plan }) => ({ layer, bundles: plan.bundles, recordBytes: plan.recordBytes }));
  const facts = [recordVersion, sizes, await originFacts(origin, checkWeights), tensorFacts(model)];
  const plan = planNeuronImage(sizes, await sha256(new TextEncoder().encode(JSON.stringify(facts))));
  const place = await placeOfImage(origin);
  // Of what is stored nothing is kept in another form before all of it is what was promised.
  if (place) await fetchAll(load);
  const stored = place && { id: place.id, name: origin.files.sources[0].name };
  const { onFull = "memory", evict } = origin.store;
  const { diagnostics } = origin.storage;
  const image = await openImage({ models: place?.models, model: stored, plan, diagnostics, onFull, evict, signal });
  const close = (): void => {
    image.close();
    place?.own?.close();
  };
  const write = (index: number, block: BlockBytes): Promise<void> => {
    const pack = (_: number, bundle: number, out: Uint8Array): void => packBundle(layers[index].plan, bundle, block, out);
    return writeRecords(image, plan, { layers: sizes, pack, places: [index] });
  };
  const repair = (index: number): Promise<void> =>
    withReopened(load, async (source) => write(index, await readBlock({ ...load, source, signal: origin.again.signal }, layers[index])));
  try {
    const missing = new Set(image.missing());
    for (const [index, layer] of layers.entries()) {
      throwIfAborted(signal);
      if (!missing.has(index) && !layer.shadow) continue;
      const block = await readBlock(load, layer);
      if (missing.has(index)) await write(index, block);
      uploadShadow(load, layer, block);
    }
    if (place) await image.complete();
  } catch (thrown) {
    close();
    throw thrown;
  }
  return { reader: imageRecords(image, { plan, layers: sizes, repair }), finished: place !== undefined, close };
}

/** The block's matrices as file rows, converted and checked as the loader does it. */
async function readBlock({ source, model, checkWeights, signal }: NeuronLoad, { tensors, plan }: NeuronLayer): Promise<BlockBytes> {
  const { hidden, intermediate, up, down } = plan;
  const matrices = [
    { tensor: tensors.gate, format: up, rows: intermediate, cols: hidden },
    { tensor: tensors.up, format: up, rows: intermediate, cols: hidden },
    { tensor: tensors.down, format: down, rows: hidden, cols: intermediate },
  ];
  const slabs = matrices.map(({ tensor, format, rows, cols }): Slab => {
    const bytes = placedBytes(format, rows, cols);
    return {
      name: tensor,
      kind: "matrix",
      ggufType: format.ggufType,
      cols,
      bytes,
      parts: [{ tensor, rowStart: 0, rows, byteOffset: 0, bytes }],
    };
  });
  const [gate, upRows, downRows] = matrices.map(({ format, rows, cols }) => new Uint8Array(fileBytes(format, rows * cols)));
  const rowsOf = new Map([
    [tensors.gate, gate],
    [tensors.up, upRows],
    [tensors.down, downRows],
  ]);
  await loadWeights({
    source,
    tensors: model.file.tensors,
    plan: { slabs, bytes: slabs.reduce((sum, { bytes }) => sum + bytes, 0) },
    formats: model.formats,
    upload: () => undefined,
    onRows: ({ tensor, tensorRow, format, cols }, rows) => rowsOf.get(tensor)?.set(rows, tensorRow * fileBytes(format, cols)),
    scan: checkWeights,
    signal,
  });
  return { gate, up: upRows, down: downRows };
}

function uploadShadow({ parts, plan, made }: NeuronLoad, { shadow, plan: sizes }: NeuronLayer, { gate }: BlockBytes): void {
  if (!shadow) return;
  const { hidden, intermediate, bundles, neurons, up } = sizes;
  const values = new Float32Array(bundles * neurons * hidden);
  up.dequantize(gate, values.subarray(0, hidden * intermediate));
  const packed = packMatrix(shadow.format, ternary(values), { rows: bundles * neurons, cols: hidden });
  parts.device.queue.writeBuffer(required(made.slabs, plan.layout.matrix(shadow.range).slab), 0, packed);
}

function required<T>(map: ReadonlyMap<string, T>, name: string): T {
  const found = map.get(name);
  assert(found !== undefined, `${name} was not allocated`);
  return found;
}
