// The GPU buffers behind pages: a pool for each layer, replaced by larger ones, and the tails of types that are quantized a page at a time.

import { ShaderloomError } from "../base/errors.ts";
import { ceilDiv } from "../base/math.ts";
import { type BufferLedger, withMemoryCheck } from "../gpu/buffers.ts";

export interface PoolSizes {
  readonly numLayers: number;
  /** Bytes of a page in one layer. */
  readonly pageBytes: number;
  /** Bytes of all slots' tails in one layer; 0 for types that have none. */
  readonly tailBytes: number;
  readonly pageTokens: number;
  /** Pages to begin with. */
  readonly pages: number;
}

/** Layers grow in so many parts. */
const growthParts = 8;

export class PagePools {
  readonly #device: GPUDevice;
  readonly #ledger: BufferLedger;
  readonly #sizes: PoolSizes;
  readonly #pools: GPUBuffer[];
  readonly #tails: readonly GPUBuffer[];
  /** A page on its way: WebGPU copies nothing within a buffer. */
  readonly #between: GPUBuffer;
  #pages: number;
  #growths = 0;

  constructor(device: GPUDevice, ledger: BufferLedger, sizes: PoolSizes) {
    this.#device = device;
    this.#ledger = ledger;
    this.#sizes = sizes;
    this.#pages = sizes.pages;
    const layers = Array.from({ length: sizes.numLayers }, (_, layer) => layer);
    this.#pools = layers.map((layer) => this.#createPool(layer, sizes.pages));
    this.#between = ledger.create("other", { label: "page", size: sizes.pageBytes });
    this.#tails =
      sizes.tailBytes === 0
        ? []
        : layers.map((layer) => ledger.create("kv", { label: `kv tail of layer ${layer}`, size: sizes.tailBytes }));
  }

  get growths(): number {
    return this.#growths;
  }

  pool(layer: number): GPUBuffer {
    return this.#pools[layer];
  }

  tail(layer: number): GPUBuffer | undefined {
    return this.#tails.at(layer);
  }

  /** Copies a page of every layer. */
  copyPage(from: number, to: number): void {
    const { pageBytes } = this.#sizes;
    const encoder = this.#device.createCommandEncoder({ label: "copy page" });
    for (const pool of this.#pools) {
      encoder.copyBufferToBuffer(pool, from * pageBytes, this.#between, 0, pageBytes);
      encoder.copyBufferToBuffer(this.#between, 0, pool, to * pageBytes, pageBytes);
    }
    this.#device.queue.submit([encoder.finish()]);
  }

  /**
   * Replaces the pools, some layers at a time, so that little more than the new pools is held.
   * @throws {ShaderloomError} GPU.oom; what was there stays
   */
  async grow(pages: number): Promise<void> {
    const together = ceilDiv(this.#pools.length, growthParts);
    for (let layer = 0; layer < this.#pools.length; layer += together) await this.#growLayers(layer, layer + together, pages);
    this.#pages = pages;
    this.#growths++;
  }

  #createPool(layer: number, pages: number): GPUBuffer {
    return this.#ledger.create("kv", { label: `kv of layer ${layer}`, size: pages * this.#sizes.pageBytes });
  }

  async #growLayers(first: number, end: number, pages: number): Promise<void> {
    const device = this.#device;
    const bytes = pages * this.#sizes.pageBytes;
    // A growth that failed before may have left some of them large.
    const small = [...this.#pools.keys()].slice(first, end).filter((layer) => this.#pools[layer].size < bytes);
    const next: GPUBuffer[] = [];
    try {
      await withMemoryCheck(
        device,
        () => "",
        () => small.forEach((layer) => next.push(this.#createPool(layer, pages))),
      );
    } catch (thrown) {
      for (const pool of next) this.#ledger.destroy(pool);
      throw this.#memoryError(pages, thrown);
    }
    const encoder = device.createCommandEncoder({ label: "grow kv" });
    for (const [index, layer] of small.entries()) {
      const pool = this.#pools[layer];
      encoder.copyBufferToBuffer(pool, 0, next[index], 0, pool.size);
    }
    device.queue.submit([encoder.finish()]);
    for (const [index, layer] of small.entries()) {
      this.#ledger.destroy(this.#pools[layer]);
      this.#pools[layer] = next[index];
    }
  }

  #memoryError(pages: number, thrown: unknown): ShaderloomError {
    const { pageTokens } = this.#sizes;
    const tokens = pages * pageTokens;
    const cause = thrown instanceof Error ? thrown.message : String(thrown);
    return new ShaderloomError(
      "GPU.oom",
      `The GPU has no memory for ${tokens} tokens of context. Start a new chat, or load with a smaller contextLength or kv.type.`,
      { detail: { tokens, fits: this.#pages * pageTokens, cause } },
    );
  }
}
