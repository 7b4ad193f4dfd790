// Bundles of neurons on the GPU: slots of a fixed number of bytes, filled from records of a store through mapped staging buffers by what the
// last tokens needed. Before a token: all that was asked for is in its slot and the lists say so. After it: one readback says what was active,
// and reading for the next begins. Knows no kernels; who runs them binds its buffers.

import { asShaderloomError, assert, ShaderloomError } from "../../base/errors.ts";
import { bindAlignment } from "../../base/layout.ts";
import { alignUp } from "../../base/math.ts";
import type { BufferLedger } from "../../gpu/buffers.ts";
import type { Readback, ReadbackSlot } from "../../gpu/readback.ts";
import { lostPlace } from "../memory_chunks.ts";
import { mappedSlot, remapped, type Slot } from "../staging.ts";
import { LayerSlots, type NeuronSizes, type SlotLoad } from "./layer_slots.ts";
import { planReads, type ReadCost, type RecordRun } from "./read_cost.ts";

/** Where records are read from. */
export interface RecordReader {
  /**
   * Reads whole records of a layer, by its place among the layers here, into `into`, which may be mapped GPU memory.
   * @throws {ShaderloomError} STORE.* and what a source throws
   */
  read(layer: number, run: RecordRun, into: Uint8Array<ArrayBuffer>): Promise<void>;
}

export interface NeuronCacheOptions {
  readonly device: GPUDevice;
  readonly ledger: BufferLedger;
  readonly readback: Readback;
  readonly layers: readonly NeuronSizes[];
  /** Buffers of the layers, where they are made already. */
  readonly buffers?: readonly NeuronBuffers[] | undefined;
  readonly reader: RecordReader;
  readonly cost: ReadCost;
  /** Tokens after which having been active counts half. */
  readonly halfLife: number;
  /** Outputs of neurons smaller than this count as zero; 0 but for activations without exact zeros. */
  readonly threshold: number;
  /** Mapped buffers that reads go into, and bytes of each. */
  readonly staging: { readonly count: number; readonly bytes: number };
}

/** Buffers of a layer to bind. */
export interface NeuronBuffers {
  readonly up: GPUBuffer;
  readonly down: GPUBuffer;
  readonly list: GPUBuffer;
}

/** Where a token's report lies after its step. */
export interface ReportBuffers {
  /** Bits of the listed bundles' neurons. */
  readonly active: GPUBuffer;
  /** f32 of every bundle. */
  readonly scores: GPUBuffer | undefined;
}

export interface NeuronStats {
  readonly tokens: number;
  /** Read from the store, gaps between bundles included. */
  readonly bytes: number;
  readonly reads: number;
  /** Bundles that were active and here, and how many those would be that had all of their neurons active. */
  readonly active: number;
  readonly activeShares: number;
  /** The same of bundles that probably were missing. */
  readonly missingShares: number;
  /** Time that tokens waited for bundles, in milliseconds. */
  readonly stallMs: number;
}

/** MAP_WRITE | COPY_SRC. */
const stagingUsage = 0x02 | 0x04;

interface Layer {
  readonly sizes: NeuronSizes;
  readonly slots: LayerSlots;
  readonly buffers: NeuronBuffers;
  /** Whether the list is older than the slots. */
  stale: boolean;
}

/** A read of neighbouring records and where those that are wanted go. */
interface Transfer {
  readonly layer: number;
  readonly run: RecordRun;
  readonly loads: readonly SlotLoad[];
}

export class NeuronCache {
  readonly #options: NeuronCacheOptions;
  readonly #layers: readonly Layer[];
  readonly #staging: Promise<Slot>[];
  #pending: Promise<unknown> = Promise.resolve();
  /** Why a read failed, and what is to be read again. */
  #failure: ShaderloomError | undefined;
  readonly #failed: Transfer[] = [];
  #report: { readonly slot: ReadbackSlot; readonly scored: boolean } | undefined;
  #stats = { tokens: 0, bytes: 0, reads: 0, active: 0, activeShares: 0, missingShares: 0, stallMs: 0 };

  /** Makes the buffers and begins to fill them. @throws {ShaderloomError} GPU.oom */
  constructor(options: NeuronCacheOptions) {
    const { ledger, layers, halfLife, staging } = options;
    this.#options = options;
    this.#layers = layers.map((sizes, index) => ({
      sizes,
      slots: new LayerSlots(sizes, halfLife),
      buffers: options.buffers?.[index] ?? makeBuffers(ledger, sizes, index),
      stale: true,
    }));
    const most = Math.max(staging.bytes, ...layers.map(({ recordBytes }) => recordBytes));
    this.#staging = Array.from({ length: staging.count }, (_, index) => {
      const label = `neurons staging ${index}`;
      return Promise.resolve(mappedSlot(ledger.create("other", { label, size: most, usage: stagingUsage, mappedAtCreation: true })));
    });
    this.#fetch(this.#layers.map(({ slots }) => slots.prime()));
  }

  get stats(): NeuronStats {
    return this.#stats;
  }

  buffers(layer: number): NeuronBuffers {
    return this.#layers[layer].buffers;
  }

  /**
   * All bundles that were asked for are in their slots, and lists name them.
   * @throws {ShaderloomError} why one could not be read; then no token may run, and the next call tries again
   */
  async beforeToken(): Promise<void> {
    const start = performance.now();
    await this.#pending;
    if (!this.#failure && this.#failed.length > 0) await this.#transferAll(this.#failed.splice(0));
    this.#stats.stallMs += performance.now() - start;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
    for (const layer of this.#layers) {
      if (!layer.stale) continue;
      this.#options.device.queue.writeBuffer(layer.buffers.list, 0, layer.slots.list(this.#options.threshold));
      layer.stale = false;
    }
  }

  /** Encodes the readback of a token, behind its step; a report for each layer. */
  encodeReport(encoder: GPUCommandEncoder, reports: readonly ReportBuffers[]): void {
    assert(this.#report === undefined && reports.length === this.#layers.length, "one report a token, of every layer");
    const spans = this.#spans(reports[0]?.scores !== undefined);
    const slot = this.#options.readback.take(spans.bytes);
    for (const [index, { active, scores }] of reports.entries()) {
      const { at, activeBytes, scoreBytes } = spans.layers[index];
      slot.copy(encoder, { source: active, bytes: activeBytes, at });
      if (scores) slot.copy(encoder, { source: scores, bytes: scoreBytes, at: at + activeBytes });
    }
    this.#report = { slot, scored: reports[0]?.scores !== undefined };
  }

  /**
   * Reads the report, once the step is submitted, and begins to bring what the next token may need.
   * @returns the share of the active neurons that probably was missing, 0 without scores: the token may be run again when it is large
   * @throws {ShaderloomError} GPU.lost
   */
  async afterToken(): Promise<number> {
    const report = this.#report;
    assert(report, "a report is encoded before it is read");
    this.#report = undefined;
    const bytes = await report.slot.read();
    const spans = this.#spans(report.scored);
    let [active, missing] = [0, 0];
    const loads = this.#layers.map(({ sizes, slots }, index): SlotLoad[] => {
      const { at, activeBytes } = spans.layers[index];
      const words = new Uint32Array(bytes, at, activeBytes / 4);
      const scores = report.scored ? new Float32Array(bytes, at + activeBytes, sizes.bundles) : undefined;
      const needs = slots.needs(words, scores);
      this.#stats.active += needs.active.size;
      active += sumOf(needs.active);
      missing += sumOf(needs.missing);
      return slots.advance(needs);
    });
    this.#stats.tokens++;
    this.#stats.activeShares += active;
    this.#stats.missingShares += missing;
    this.#fetch(loads);
    return missing / Math.max(active + missing, Number.MIN_VALUE);
  }

  /** Ends when nothing is read any more; buffers are the ledger's to free. */
  async close(): Promise<void> {
    await this.#pending;
  }

  /** Where each layer's report lies in the readback. */
  #spans(scored: boolean): { bytes: number; layers: { at: number; activeBytes: number; scoreBytes: number }[] } {
    let bytes = 0;
    const layers = this.#layers.map(({ sizes }) => {
      const at = bytes;
      const activeBytes = sizes.slots * sizes.words * 4;
      const scoreBytes = scored ? sizes.bundles * 4 : 0;
      bytes += activeBytes + scoreBytes;
      return { at, activeBytes, scoreBytes };
    });
    return { bytes, layers };
  }

  #fetch(loads: readonly (readonly SlotLoad[])[]): void {
    const { cost } = this.#options;
    const transfers = loads.flatMap((some, layer): Transfer[] => {
      if (some.length === 0) return [];
      this.#layers[layer].stale = true;
      const { recordBytes } = this.#layers[layer].sizes;
      const sorted = some.toSorted((a, b) => a.bundle - b.bundle);
      const wanted = sorted.map(({ bundle }) => bundle);
      return planReads(wanted, { recordBytes, cost, maxBytes: this.#options.staging.bytes }).map((run) => {
        return { layer, run, loads: sorted.filter(({ bundle }) => bundle >= run.first && bundle < run.first + run.count) };
      });
    });
    if (transfers.length > 0) this.#pending = Promise.all([this.#pending, this.#transferAll(transfers)]);
  }

  /** As many side by side as there are staging buffers. */
  async #transferAll(transfers: readonly Transfer[]): Promise<void> {
    const queue = [...transfers];
    const work = this.#staging.map(async (_, place) => {
      for (let next = queue.shift(); next; next = queue.shift()) await this.#transfer(next, place);
    });
    await Promise.all(work);
  }

  /** Never throws: what fails is told before the next token. */
  async #transfer(transfer: Transfer, place: number): Promise<void> {
    const { layer, run, loads } = transfer;
    const { device, reader } = this.#options;
    const { sizes, buffers } = this.#layers[layer];
    let staged: Slot | undefined;
    try {
      staged = await this.#staging[place];
      const { buffer: staging, bytes } = staged;
      await reader.read(layer, run, bytes.subarray(0, run.count * sizes.recordBytes));
      staging.unmap();
      const encoder = device.createCommandEncoder({ label: "neurons" });
      for (const { bundle, slot } of loads) {
        const at = (bundle - run.first) * sizes.recordBytes;
        encoder.copyBufferToBuffer(staging, at, buffers.up, slot * sizes.upBytes, sizes.upBytes);
        encoder.copyBufferToBuffer(staging, at + sizes.upBytes, buffers.down, slot * sizes.downBytes, sizes.downBytes);
      }
      device.queue.submit([encoder.finish()]);
      this.#staging[place] = mappedLater(staging);
      this.#stats.reads++;
      this.#stats.bytes += run.count * sizes.recordBytes;
    } catch (thrown) {
      this.#failed.push(transfer);
      // Whoever reads into mapped memory throws anything once its device is lost, when that memory has no length any more.
      this.#failure ??= staged?.bytes.length === 0 ? lostPlace() : asShaderloomError(thrown, "STORE.failed");
    }
  }
}

function sumOf(shares: ReadonlyMap<number, number>): number {
  let sum = 0;
  for (const share of shares.values()) sum += share;
  return sum;
}

/** Mapped once what was copied from it has been; a failure is told to who waits for it, if anyone does. */
function mappedLater(buffer: GPUBuffer): Promise<Slot> {
  const ready = remapped(buffer);
  ready.catch(() => undefined);
  return ready;
}

/** Slots of gate and up, of down, and the list. */
function makeBuffers(ledger: BufferLedger, { slots, upBytes, downBytes }: NeuronSizes, index: number): NeuronBuffers {
  const make = (name: string, size: number): GPUBuffer =>
    ledger.create("weights", { label: `neurons ${index} ${name}`, size: alignUp(size, bindAlignment) });
  return { up: make("up", slots * upBytes), down: make("down", slots * downBytes), list: make("list", (4 + slots) * 4) };
}
