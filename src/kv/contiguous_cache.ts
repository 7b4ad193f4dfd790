// Keys and values of a slot one position behind the other, as vAttention (arXiv:2405.04437) has them, without virtual memory: what paging is
// measured against. `[slot][K|V][kv head][token][dim]`; room grows by doubling, and kernels find it from the length of the buffer. Nothing is
// shared: a sequence keeps what the next one begins with.

import { assert, ShaderloomError } from "../base/errors.ts";
import { type KvLayout, kvPageBytes, pagesFor } from "../base/layout.ts";
import { type BufferLedger, withMemoryCheck } from "../gpu/buffers.ts";
import type { Adoption, KvCache } from "./kv_cache.ts";
import { commonLength } from "./prefix_cache.ts";

export interface ContiguousCacheOptions {
  readonly layout: KvLayout;
  readonly numLayers: number;
  /** Pages of each slot to begin with. */
  readonly initialPages: number;
  /** Most pages of each slot. */
  readonly maxPages?: number | undefined;
  readonly slots: number;
}

class ContiguousCache implements KvCache {
  readonly layout: KvLayout;
  readonly numLayers: number;
  readonly cachedPages = 0;
  readonly #device: GPUDevice;
  readonly #ledger: BufferLedger;
  readonly #slotPages: number[];
  readonly #maxPages: number;
  readonly #pools: GPUBuffer[];
  #capacity: number;
  #growths = 0;

  constructor(device: GPUDevice, ledger: BufferLedger, options: ContiguousCacheOptions) {
    const { layout, numLayers, slots } = options;
    this.layout = layout;
    this.numLayers = numLayers;
    this.#device = device;
    this.#ledger = ledger;
    this.#maxPages = Math.min(options.maxPages ?? layout.maxPages, layout.maxPages);
    this.#slotPages = Array.from({ length: slots }, () => 0);
    this.#capacity = Math.min(options.initialPages, this.#maxPages);
    this.#pools = Array.from({ length: numLayers }, (_, layer) => this.#createPool(layer, this.#capacity));
  }

  get usedPages(): number {
    return this.#slotPages.reduce((sum, pages) => sum + pages, 0);
  }

  get capacityPages(): number {
    return this.#capacity * this.#slotPages.length;
  }

  get growths(): number {
    return this.#growths;
  }

  get maxTokens(): number {
    return this.#maxPages * this.layout.pageTokens;
  }

  pool(layer: number): GPUBuffer {
    return this.#pools[layer];
  }

  tail(): undefined {
    return undefined;
  }

  /** Kernels read no table. */
  pages(): readonly number[] {
    return [];
  }

  reserve(slot: number, tokens: number): boolean | undefined {
    const needed = pagesFor(tokens, this.layout);
    assert(needed <= this.layout.maxPages, "the engine bounds sequences by the context length");
    if (needed > this.#capacity) return undefined;
    this.#slotPages[slot] = Math.max(this.#slotPages[slot], needed);
    return false;
  }

  truncate(slot: number, tokens: number): number {
    this.#slotPages[slot] = Math.min(this.#slotPages[slot], pagesFor(tokens, this.layout));
    return tokens;
  }

  discard(slot: number): void {
    this.truncate(slot, 0);
  }

  adopt(slot: number, { held, wanted, most }: Adoption): number {
    return this.truncate(slot, Math.min(commonLength(held, wanted), most));
  }

  async grow(): Promise<void> {
    const before = this.#capacity;
    const after = Math.min(before * 2, this.#maxPages);
    if (after === before) throw this.#fullError();
    for (const layer of this.#pools.keys()) await this.#growLayer(layer, after);
    this.#capacity = after;
    this.#growths++;
  }

  async #growLayer(layer: number, pages: number): Promise<void> {
    const device = this.#device;
    let next: GPUBuffer | undefined;
    try {
      next = await withMemoryCheck(
        device,
        () => "",
        () => (next = this.#createPool(layer, pages)),
      );
    } catch (thrown) {
      if (next) this.#ledger.destroy(next);
      throw this.#memoryError(pages, thrown);
    }
    const pool = this.#pools[layer];
    const runs = this.#slotPages.length * 2 * this.layout.numKvHeads;
    const encoder = device.createCommandEncoder({ label: "grow kv" });
    const [from, to] = [pool.size / runs, next.size / runs];
    for (let run = 0; run < runs; run++) encoder.copyBufferToBuffer(pool, run * from, next, run * to, Math.min(from, to));
    device.queue.submit([encoder.finish()]);
    this.#ledger.destroy(pool);
    this.#pools[layer] = next;
  }

  #createPool(layer: number, pages: number): GPUBuffer {
    const size = this.#slotPages.length * pages * kvPageBytes(this.layout);
    return this.#ledger.create("kv", { label: `kv of layer ${layer}`, size });
  }

  #fullError(): ShaderloomError {
    const tokens = this.maxTokens;
    const message = `The ${tokens} tokens that kv.budget has room for are in use. Start a new chat, or give a larger kv.budget.`;
    return new ShaderloomError("CONTEXT.full", message, { detail: { tokens } });
  }

  #memoryError(pages: number, thrown: unknown): ShaderloomError {
    const cause = thrown instanceof Error ? thrown.message : String(thrown);
    const [tokens, fits] = [pages, this.#capacity].map((some) => some * this.layout.pageTokens);
    const message = `The GPU has no memory for ${tokens} tokens of context. Start a new chat, or load with a smaller contextLength.`;
    return new ShaderloomError("GPU.oom", message, { detail: { tokens, fits, cause } });
  }
}

export function makeContiguousCache(device: GPUDevice, ledger: BufferLedger, options: ContiguousCacheOptions): KvCache {
  return new ContiguousCache(device, ledger, options);
}
