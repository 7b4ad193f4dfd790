// What streaming is held against: a model larger than the GPU's memory run in the plain way. For each token each layer is allocated, read
// from the store, uploaded, bound, run and freed, one after the other; nothing overlaps and nothing of a layer stays.

import { assert } from "../../src/base/errors.ts";
import { alignUp, ceilDiv } from "../../src/base/math.ts";
import { buildModel, type LoadedModel } from "../../src/engine/model.ts";
import { chunkRows, planRunner, type RunnerPlan } from "../../src/engine/placement.ts";
import { BufferLedger } from "../../src/gpu/buffers.ts";
import { type OpenDevice, openDevice } from "../../src/gpu/device.ts";
import { createPipelineCache } from "../../src/gpu/pipelines.ts";
import { createReadback, type Readback } from "../../src/gpu/readback.ts";
import { allocateActivations, type BindTable, compileProgram, type Program, type ProgramOptions } from "../../src/graph/program.ts";
import { openShaderFiles } from "../../src/kernels/shader_files.ts";
import { PagedCache } from "../../src/kv/paged_cache.ts";
import { Control } from "../../src/engine/control.ts";
import { noDiagnostics } from "../../src/store/diagnostics.ts";
import { memoryStore } from "../../src/store/memory.ts";
import type { StoredFile } from "../../src/store/stored_file.ts";
import { type Disk, openThrottledStore, type ThrottledStore } from "../../src/testing/throttled_store.ts";
import { bytesSource } from "../../src/weights/byte_source.ts";
import { openGguf } from "../../src/weights/gguf/gguf.ts";
import { loadWeights } from "../../src/weights/loader.ts";

export interface NaiveOptions {
  readonly activations?: "f32" | "f16" | "int8" | undefined;
  readonly deviceClass?: "gpu" | "cpu" | undefined;
  readonly contextLength: number;
}

export interface NaiveReload {
  /** Runs one token. @returns the likeliest next one */
  step(token: number, position: number): Promise<number>;
  /** Reads all layers and does nothing with them. @returns bytes */
  readOnly(): Promise<number>;
  /** What the layers are read from; as fast as memory until told otherwise. */
  readonly disk: Disk;
  /** Bytes of weights that each step reads. */
  readonly bytesPerStep: number;
  /** Most bytes that were on the GPU at once. */
  readonly peakBytes: number;
  destroy(): void;
}

const largestChunk = 4 << 20;

interface LayerSlab {
  readonly name: string;
  readonly bytes: number;
  /** From the layer's start. */
  readonly at: number;
}

interface Layer {
  readonly slabs: readonly LayerSlab[];
  readonly bytes: number;
}

function layerOf(tensor: string): number | undefined {
  const found = /^blk\.(\d+)\./.exec(tensor)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** The matrices of each layer, one behind the other. */
function layersOf({ layout }: RunnerPlan, count: number): Layer[] {
  return Array.from({ length: count }, (_, layer) => {
    const own = layout.plan.slabs.filter(({ kind, parts }) => kind === "matrix" && layerOf(parts[0].tensor) === layer);
    let bytes = 0;
    const slabs = own.map((slab): LayerSlab => {
      const at = bytes;
      bytes += alignUp(slab.bytes, 256);
      return { name: slab.name, bytes: slab.bytes, at };
    });
    return { slabs, bytes };
  });
}

/** One stored file of all layers, a whole number of chunks each. */
interface Shelf {
  readonly store: ThrottledStore;
  readonly file: StoredFile;
  readonly chunkBytes: number;
  readonly chunksPerLayer: number;
}

async function openShelf(layers: readonly Layer[]): Promise<Shelf> {
  const most = Math.max(...layers.map(({ bytes }) => bytes));
  const chunksPerLayer = ceilDiv(most, largestChunk);
  const chunkBytes = alignUp(ceilDiv(most, chunksPerLayer), 256);
  const store = openThrottledStore({}, memoryStore(), { chunkBytes });
  const bytes = layers.length * chunksPerLayer * chunkBytes;
  const about = { url: "https://naive.test/layers", revision: "1", name: "layers", bytes, sha256: null };
  return { store, file: await store.store.open(about, noDiagnostics()), chunkBytes, chunksPerLayer };
}

/** Uploads what stays, and stores the rest. */
async function storeLayers(model: LoadedModel, { source, plan, layers, shelf, slab, device }: Storing): Promise<void> {
  const { chunkBytes, chunksPerLayer, file } = shelf;
  const places = new Map(layers.flatMap((layer, index) => layer.slabs.map(({ name, at }) => [name, { index, at }] as const)));
  const held = layers.map(() => new Uint8Array(chunkBytes * chunksPerLayer));
  const { tensors } = model.file;
  const upload = (name: string, at: number, bytes: Uint8Array<ArrayBuffer>): void => {
    const place = places.get(name);
    if (place === undefined) device.queue.writeBuffer(slab(name), at, bytes);
    else held[place.index].set(bytes, place.at + at);
  };
  await loadWeights({ source, tensors, plan: plan.layout.plan, formats: model.formats, upload });
  for (const [index, bytes] of held.entries()) {
    for (let chunk = 0; chunk < chunksPerLayer; chunk++) {
      await file.put(index * chunksPerLayer + chunk, bytes.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes));
    }
  }
  await file.complete({ sha256: null, verified: false });
}

interface Storing {
  readonly source: ReturnType<typeof bytesSource>;
  readonly plan: RunnerPlan;
  readonly layers: readonly Layer[];
  readonly shelf: Shelf;
  readonly slab: (name: string) => GPUBuffer;
  readonly device: GPUDevice;
}

/** Where each layer's calls begin: at the first that reads a matrix of it. What is before belongs to no layer, what is behind to the last. */
function cutsOf({ decode }: RunnerPlan, layers: number, end: number): number[] {
  return Array.from({ length: layers }, (_, layer) => {
    const first = decode.calls.findIndex(({ weights }) => weights.some(({ tensor }) => layerOf(tensor) === layer));
    assert(first >= 0 && first < end, `no call of layer ${layer}`);
    return first;
  });
}

/** The decode step in pieces that share their activations: what is before the layers, and each layer. */
async function compilePieces(
  opened: OpenDevice,
  ledger: BufferLedger,
  { plan, model }: { plan: RunnerPlan; model: LoadedModel },
): Promise<Program[]> {
  const { device, caps } = opened;
  const { calls, sections, logits } = plan.decode;
  const head = sections.find(({ name }) => name === "head");
  assert(head, "a program has a head");
  const rows = { maxRows: 1, maxOutputRows: 1, stepRows: chunkRows };
  const activationBytes = model.activations === "f16" ? 2 : 4;
  const shared = { device, ledger, layout: plan.layout, tiers: plan.tiers, activationBytes, keep: [logits], target: plan.target, ...rows };
  const whole: ProgramOptions = { ...shared, label: "naive", calls: calls.slice(0, head.end), sections: [] };
  const activations = allocateActivations(whole);
  const files = await openShaderFiles({ caps, deviceClass: caps.deviceClass, precision: model.activations });
  const pipelines = createPipelineCache(device, files);
  const cuts = [0, ...cutsOf(plan, model.config.numLayers, head.end), head.end];
  return Promise.all(
    cuts.slice(0, -1).map((start, index) => {
      const piece = { ...whole, calls: whole.calls.slice(start, cuts[index + 1]) };
      return compileProgram(piece, { pipelines, activations });
    }),
  );
}

/** Everything but the layers, ready to run. */
class Naive implements NaiveReload {
  readonly #parts: NaiveParts;
  readonly #host: Uint8Array<ArrayBuffer>;
  #peak = 0;

  constructor(parts: NaiveParts) {
    this.#parts = parts;
    this.#host = new Uint8Array(parts.shelf.chunkBytes * parts.shelf.chunksPerLayer);
  }

  get bytesPerStep(): number {
    return this.#parts.layers.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get disk(): Disk {
    return this.#parts.shelf.store.disk;
  }

  get peakBytes(): number {
    return this.#peak;
  }

  async step(token: number, position: number): Promise<number> {
    const { control, pieces, layers, table } = this.#parts;
    control.writeDecode({ rows: [{ token, position, slot: 0 }], outputRows: [0] });
    pieces[0].bind(table);
    await this.#run(pieces[0], position);
    for (const [index, layer] of layers.entries()) await this.#runLayer(index, layer, position);
    return this.#likeliest();
  }

  async readOnly(): Promise<number> {
    for (const index of this.#parts.layers.keys()) await this.#readLayer(index);
    return this.#parts.layers.length * this.#host.length;
  }

  destroy(): void {
    this.#parts.ledger.destroyAll();
    this.#parts.opened.destroy();
    this.#parts.shelf.store.store.close();
  }

  async #runLayer(index: number, layer: Layer, position: number): Promise<void> {
    const { opened, ledger, table, pieces } = this.#parts;
    const buffers = new Map(layer.slabs.map(({ name, bytes }) => [name, ledger.create("weights", { label: name, size: bytes })]));
    this.#peak = Math.max(this.#peak, ledger.bytes().total);
    await this.#readLayer(index);
    for (const { name, bytes, at } of layer.slabs) opened.device.queue.writeBuffer(bufferOf(buffers, name), 0, this.#host, at, bytes);
    const piece = pieces[index + 1];
    piece.bind({ ...table, slab: (name) => (buffers.has(name) ? { buffer: bufferOf(buffers, name) } : table.slab(name)) });
    await this.#run(piece, position);
    for (const buffer of buffers.values()) ledger.destroy(buffer);
  }

  async #readLayer(index: number): Promise<void> {
    const { file, chunkBytes, chunksPerLayer } = this.#parts.shelf;
    for (let chunk = 0; chunk < chunksPerLayer; chunk++) {
      const into = this.#host.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes);
      assert(await file.read(index * chunksPerLayer + chunk, into), "a chunk is there");
    }
  }

  async #run(piece: Program, position: number): Promise<void> {
    const { device } = this.#parts.opened;
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    piece.encode(pass, { rows: 1, outputRows: 1, contextTokens: position + 1 });
    pass.end();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
  }

  async #likeliest(): Promise<number> {
    const { opened, readback, pieces, plan, vocabSize } = this.#parts;
    const encoder = opened.device.createCommandEncoder();
    const slot = readback.take(vocabSize * 4);
    slot.copy(encoder, { source: pieces[pieces.length - 1].buffer(plan.decode.logits), bytes: vocabSize * 4 });
    opened.device.queue.submit([encoder.finish()]);
    const logits = new Float32Array(await slot.read());
    return logits.indexOf(logits.reduce((most, logit) => Math.max(most, logit)));
  }
}

interface NaiveParts {
  readonly opened: OpenDevice;
  readonly ledger: BufferLedger;
  readonly plan: RunnerPlan;
  readonly vocabSize: number;
  readonly layers: readonly Layer[];
  readonly shelf: Shelf;
  readonly pieces: readonly Program[];
  readonly control: Control;
  readonly readback: Readback;
  readonly table: BindTable;
}

function bufferOf(buffers: ReadonlyMap<string, GPUBuffer>, name: string): GPUBuffer {
  const buffer = buffers.get(name);
  assert(buffer, `there is no ${name}`);
  return buffer;
}

/** Stores the layers and compiles the pieces; nothing of that is part of a step. */
export async function openNaiveReload(gpu: GPU, model: Uint8Array<ArrayBuffer>, options: NaiveOptions): Promise<NaiveReload> {
  const opened = await openDevice(gpu, { deviceClass: options.deviceClass });
  const { device, caps } = opened;
  const ledger = new BufferLedger(device);
  const source = bytesSource(model);
  const loaded = await buildModel(await openGguf(source), source, { ...options, caps });
  const plan = await planRunner(loaded, caps);
  const layers = layersOf(plan, loaded.config.numLayers);
  const streamed = new Set(layers.flatMap(({ slabs }) => slabs.map(({ name }) => name)));
  const fixed = new Map(
    plan.layout.plan.slabs
      .filter(({ name }) => !streamed.has(name))
      .map(({ name, bytes }) => [name, ledger.create("weights", { label: name, size: bytes })]),
  );
  const shelf = await openShelf(layers);
  await storeLayers(loaded, { source, plan, layers, shelf, slab: (name) => bufferOf(fixed, name), device });
  const rope = ledger.create("other", { label: "rope", size: loaded.tables[0].data.byteLength });
  device.queue.writeBuffer(rope, 0, loaded.tables[0].data);
  const { maxPages } = loaded.kv;
  const { numLayers, vocabSize } = loaded.config;
  const cache = new PagedCache(device, ledger, { layout: loaded.kv, numLayers, initialPages: maxPages, slots: 1 });
  cache.reserve(0, loaded.contextLength);
  const control = new Control(device, ledger, { prefillRows: chunkRows, decodeRows: chunkRows, slots: 1, maxPages });
  control.setPages(0, cache.pages(0));
  const pieces = await compilePieces(opened, ledger, { plan, model: loaded });
  const table: BindTable = {
    slab: (name) => ({ buffer: bufferOf(fixed, name) }),
    table: () => rope,
    kv: (layer) => cache.pool(layer),
    pages: control.pages,
    state: control.decodeState,
  };
  return new Naive({ opened, ledger, plan, vocabSize, layers, shelf, pieces, control, readback: createReadback(ledger), table });
}
