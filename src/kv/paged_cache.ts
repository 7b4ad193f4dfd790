// KV pages on the GPU: one pool buffer per layer, grown by doubling at a step boundary, and the pages of each sequence slot.
// vLLM's PagedAttention (arXiv:2309.06180) with a table row per slot.

import { assert, ShaderloomError } from "../base/errors.ts";
import { ceilDiv } from "../base/math.ts";
import { type KvLayout, kvPageBytes, pagesFor } from "../base/layout.ts";
import type { BufferLedger } from "../gpu/buffers.ts";
import { PageAllocator } from "./page_allocator.ts";

export interface PagedCacheOptions {
  readonly layout: KvLayout;
  readonly numLayers: number;
  /** Pages to begin with; doubled when they run out, up to `maxPages` for each slot. */
  readonly initialPages: number;
  readonly slots: number;
}

/** Layers grow in so many parts. */
const growthParts = 8;

/** Owns the page pools. */
export class PagedCache {
  readonly layout: KvLayout;
  readonly #device: GPUDevice;
  readonly #ledger: BufferLedger;
  readonly #allocator: PageAllocator;
  readonly #slotPages: number[][];
  readonly #maxPages: number;
  readonly #pools: GPUBuffer[];
  #growths = 0;

  constructor(device: GPUDevice, ledger: BufferLedger, options: PagedCacheOptions) {
    this.layout = options.layout;
    this.#device = device;
    this.#ledger = ledger;
    this.#maxPages = options.layout.maxPages * options.slots;
    const pages = Math.min(options.initialPages, this.#maxPages);
    this.#allocator = new PageAllocator(pages);
    this.#slotPages = Array.from({ length: options.slots }, () => []);
    this.#pools = Array.from({ length: options.numLayers }, (_, layer) => this.#createPool(layer, pages));
  }

  get usedPages(): number {
    return this.#allocator.used;
  }

  get capacityPages(): number {
    return this.#allocator.capacity;
  }

  /** How often the pools were replaced by larger ones. */
  get growths(): number {
    return this.#growths;
  }

  /** The pool of a layer; a new buffer after growth, when programs must be bound again. */
  pool(layer: number): GPUBuffer {
    return this.#pools[layer];
  }

  /** Page numbers of a slot in order of position. */
  pages(slot: number): readonly number[] {
    return this.#slotPages[slot];
  }

  /**
   * Makes room for positions below `tokens` in a slot, from the pages that there are.
   * @returns whether the slot's table row changed, or undefined when the pools must `grow` first
   */
  reserve(slot: number, tokens: number): boolean | undefined {
    const pages = this.#slotPages[slot];
    const needed = pagesFor(tokens, this.layout);
    assert(needed <= this.layout.maxPages, "the engine bounds sequences by the context length");
    const missing = needed - pages.length;
    if (missing > this.#allocator.capacity - this.#allocator.used) return undefined;
    for (let i = 0; i < missing; i++) {
      const page = this.#allocator.take();
      assert(page !== undefined, "a page is free");
      pages.push(page);
    }
    return missing > 0;
  }

  /** Gives back the pages of a slot beyond position `tokens`. */
  truncate(slot: number, tokens: number): void {
    const pages = this.#slotPages[slot];
    const keep = pagesFor(tokens, this.layout);
    for (const page of pages.splice(keep)) this.#allocator.release(page);
  }

  #createPool(layer: number, pages: number): GPUBuffer {
    return this.#ledger.create("kv", { label: `kv of layer ${layer}`, size: pages * kvPageBytes(this.layout) });
  }

  /**
   * Replaces the pools by larger ones, with what they hold: programs must be bound again, also after a failure. Some layers at a time, so that
   * little more than the new pools is held.
   * @throws {ShaderloomError} GPU.oom when the pools cannot grow; what was there stays
   */
  async grow(): Promise<void> {
    const before = this.#allocator.capacity;
    const after = Math.min(before * 2, this.#maxPages);
    assert(after > before, "a full pool means a slot beyond its context");
    const together = ceilDiv(this.#pools.length, growthParts);
    for (let layer = 0; layer < this.#pools.length; layer += together) await this.#growLayers(layer, layer + together, after);
    this.#allocator.grow(after);
    this.#growths++;
  }

  async #growLayers(first: number, end: number, pages: number): Promise<void> {
    const device = this.#device;
    const bytes = pages * kvPageBytes(this.layout);
    // A growth that failed before may have left some of them large.
    const small = [...this.#pools.keys()].slice(first, end).filter((layer) => this.#pools[layer].size < bytes);
    device.pushErrorScope("out-of-memory");
    const next = small.map((layer) => this.#createPool(layer, pages));
    const failure = await device.popErrorScope();
    if (failure) {
      for (const pool of next) this.#ledger.destroy(pool);
      throw this.#memoryError(pages, failure.message);
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

  #memoryError(pages: number, cause: string): ShaderloomError {
    const tokens = pages * this.layout.pageTokens;
    return new ShaderloomError(
      "GPU.oom",
      `The GPU has no memory for ${tokens} tokens of context. Start a new chat or load with a smaller contextLength.`,
      { detail: { tokens, fits: this.#allocator.capacity * this.layout.pageTokens, cause } },
    );
  }
}
