// KV pages on the GPU: one pool buffer per layer, grown by doubling at a step boundary, the pages of each sequence slot, and those of requests
// of before. vLLM's PagedAttention (arXiv:2309.06180) with a table row per slot. A page that somebody else uses, too, is copied before it is
// written.

import { assert, ShaderloomError } from "../base/errors.ts";
import { type KvLayout, kvPageBytes, kvTailBytes, pagesFor } from "../base/layout.ts";
import { isKvPageType } from "../base/kv_types.ts";
import type { BufferLedger } from "../gpu/buffers.ts";
import type { Adoption, KvCache } from "./kv_cache.ts";
import { PageAllocator } from "./page_allocator.ts";
import { PagePools } from "./page_pools.ts";
import { commonLength, PrefixCache } from "./prefix_cache.ts";

export interface PagedCacheOptions {
  readonly layout: KvLayout;
  readonly numLayers: number;
  /** Pages to begin with; doubled when they run out. */
  readonly initialPages: number;
  /** Most pages, those of prefixes included; as many as the slots' tables have room for when not given. */
  readonly maxPages?: number | undefined;
  readonly slots: number;
  /** Whether prefixes of earlier requests are kept (default). */
  readonly keepPrefixes?: boolean | undefined;
}

interface Slot {
  pages: number[];
  /** The page that the slot's tail has tokens of, by its place in `pages`; -1 when of none. */
  tailPage: number;
}

/** Owns the page pools. */
export class PagedCache implements KvCache {
  readonly layout: KvLayout;
  readonly numLayers: number;
  readonly prefix: PrefixCache;
  readonly #allocator: PageAllocator;
  readonly #slots: readonly Slot[];
  readonly #maxPages: number;
  readonly #pools: PagePools;
  readonly #keepPrefixes: boolean;

  constructor(device: GPUDevice, ledger: BufferLedger, options: PagedCacheOptions) {
    const { layout, numLayers, slots } = options;
    this.layout = layout;
    this.numLayers = numLayers;
    this.#maxPages = options.maxPages ?? layout.maxPages * slots;
    this.#keepPrefixes = options.keepPrefixes ?? true;
    const pages = Math.min(options.initialPages, this.#maxPages);
    this.#allocator = new PageAllocator(pages);
    this.prefix = new PrefixCache({ pageTokens: layout.pageTokens, allocator: this.#allocator, parts: !isKvPageType(layout.type) });
    this.#slots = Array.from({ length: slots }, () => ({ pages: [], tailPage: -1 }));
    const sizes = { pageBytes: kvPageBytes(layout), tailBytes: slots * kvTailBytes(layout), pageTokens: layout.pageTokens };
    this.#pools = new PagePools(device, ledger, { ...sizes, numLayers, pages });
  }

  get usedPages(): number {
    return this.#allocator.used;
  }

  get capacityPages(): number {
    return this.#allocator.capacity;
  }

  get cachedPages(): number {
    return this.#allocator.used - new Set(this.#slots.flatMap(({ pages }) => pages)).size;
  }

  get growths(): number {
    return this.#pools.growths;
  }

  get maxTokens(): number {
    return Math.min(this.#maxPages, this.layout.maxPages) * this.layout.pageTokens;
  }

  pool(layer: number): GPUBuffer {
    return this.#pools.pool(layer);
  }

  tail(layer: number): GPUBuffer | undefined {
    return this.#pools.tail(layer);
  }

  pages(slot: number): readonly number[] {
    return this.#slots[slot].pages;
  }

  /** One more user of pages, so that nothing overwrites them while they are copied. */
  retain(pages: readonly number[]): void {
    for (const page of pages) this.#allocator.retain(page);
  }

  /** One user of pages fewer. */
  release(pages: readonly number[]): void {
    for (const page of pages) this.#allocator.release(page);
  }

  /** Whether a page has more users than one: who writes it changes what others read. */
  shared(page: number): boolean {
    return this.#allocator.references(page) > 1;
  }

  /** Pages for tokens that come from elsewhere, one reference each; undefined when there is no room and the pools must `grow`. */
  take(count: number): number[] | undefined {
    if (!this.#makeRoom(count)) return undefined;
    return Array.from({ length: count }, () => this.#takeFree());
  }

  /**
   * Makes pages the slot's, in order, with the references that the caller has of them.
   * @param tailPage  the one of them that the slot's tail has tokens of
   */
  assign(slot: number, pages: readonly number[], tailPage = -1): void {
    const mine = this.#slots[slot];
    this.release(mine.pages);
    mine.pages = [...pages];
    mine.tailPage = tailPage;
  }

  /** Which of the slot's pages its tail has tokens of. */
  tailPage(slot: number): number {
    return this.#slots[slot].tailPage;
  }

  reserve(slot: number, tokens: number): boolean | undefined {
    const mine = this.#slots[slot];
    const needed = pagesFor(tokens, this.layout);
    assert(needed <= this.layout.maxPages, "the engine bounds sequences by the context length");
    const missing = Math.max(0, needed - mine.pages.length);
    if (!this.#makeRoom(missing)) return undefined;
    for (let i = 0; i < missing; i++) mine.pages.push(this.#takeFree());
    mine.tailPage = needed - 1;
    return missing > 0;
  }

  truncate(slot: number, tokens: number): number {
    const mine = this.#slots[slot];
    const kept = this.#resumable(mine, tokens);
    this.release(mine.pages.splice(pagesFor(kept, this.layout)));
    return kept;
  }

  /** Keeps the pages of a slot for prompts that begin like its tokens. */
  publish(slot: number, ids: readonly number[]): void {
    if (this.#keepPrefixes) this.prefix.insert(ids, this.#slots[slot].pages.slice(0, pagesFor(ids.length, this.layout)));
  }

  discard(slot: number): void {
    this.prefix.forget(this.#slots[slot].pages);
    this.truncate(slot, 0);
  }

  adopt(slot: number, { held, wanted, most }: Adoption): number {
    const { pageTokens } = this.layout;
    const mine = this.#slots[slot];
    this.publish(slot, held);
    const common = this.#resumable(mine, Math.min(commonLength(held, wanted), most));
    const known = this.prefix.match(wanted, most);
    if (known.tokens > common) {
      this.retain(known.pages);
      if (known.part) this.retain([known.part.page]);
      this.assign(slot, [...known.pages, ...(known.part ? [known.part.page] : [])]);
      return this.#own(mine, known.tokens);
    }
    this.release(mine.pages.splice(pagesFor(common, this.layout)));
    return common % pageTokens === 0 ? common : this.#own(mine, common);
  }

  async grow(): Promise<void> {
    const before = this.#allocator.capacity;
    const after = Math.min(before * 2, this.#maxPages);
    if (after === before) throw this.#fullError();
    try {
      await this.#pools.grow(after);
    } catch (error) {
      // Rather than fail, forget what nobody asks for right now.
      if (!this.prefix.evict()) throw error;
      while (this.prefix.evict());
      return;
    }
    this.#allocator.grow(after);
  }

  /** How much of `tokens` can be gone on from: a page that is quantized whole is of no use in its middle, unless the tail has its tokens. */
  #resumable({ tailPage }: Slot, tokens: number): number {
    const { pageTokens, type } = this.layout;
    const page = Math.floor(tokens / pageTokens);
    return !isKvPageType(type) || page === tailPage ? tokens : page * pageTokens;
  }

  /** Makes the page in which the next token goes the slot's own. @returns tokens that the slot holds */
  #own(mine: Slot, tokens: number): number {
    const { pageTokens } = this.layout;
    const at = Math.floor(tokens / pageTokens);
    const shared = mine.pages[at];
    if (tokens % pageTokens === 0 || this.#allocator.references(shared) === 1) return tokens;
    if (this.#allocator.used < this.#allocator.capacity || this.prefix.evict()) {
      const copy = this.#takeFree();
      this.#pools.copyPage(shared, copy);
      this.#allocator.release(shared);
      mine.pages[at] = copy;
      return tokens;
    }
    // Room for one of both: nobody asks for the old one right now.
    this.prefix.forget([shared]);
    if (this.#allocator.references(shared) === 1) return tokens;
    this.release(mine.pages.splice(at));
    return at * pageTokens;
  }

  /** Whether so many pages are free, or can be made: where the pools cannot grow, prefixes give way. */
  #makeRoom(count: number): boolean {
    const free = (): number => this.#allocator.capacity - this.#allocator.used;
    if (count <= free()) return true;
    if (this.#allocator.capacity < this.#maxPages) return false;
    while (count > free() && this.prefix.evict());
    return count <= free();
  }

  #fullError(): ShaderloomError {
    const tokens = this.#maxPages * this.layout.pageTokens;
    return new ShaderloomError(
      "CONTEXT.full",
      `The ${tokens} tokens that kv.budget has room for are in use. Start a new chat, or give a larger kv.budget.`,
      {
        detail: { tokens },
      },
    );
  }

  #takeFree(): number {
    const page = this.#allocator.take();
    assert(page !== undefined, "a page is free");
    return page;
  }
}
