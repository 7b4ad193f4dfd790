// Which pages of the KV pool are in use, and by how many sequences. Pure bookkeeping; the GPU side is paged_cache.ts.

import { assert } from "../base/errors.ts";

/** Owns page numbers 0..capacity-1 with reference counts. */
export class PageAllocator {
  readonly #references: number[] = [];
  #free: number[] = [];

  constructor(capacity: number) {
    this.grow(capacity);
  }

  get capacity(): number {
    return this.#references.length;
  }

  get used(): number {
    return this.capacity - this.#free.length;
  }

  /** Users of a page. */
  references(page: number): number {
    return this.#references[page];
  }

  /** Adds pages up to `capacity`. */
  grow(capacity: number): void {
    const added = Array.from({ length: capacity - this.capacity }, (_, index) => capacity - 1 - index);
    // Popped from the end: low numbers first, so that young caches stay in the front of the pool.
    this.#free = [...added, ...this.#free];
    while (this.#references.length < capacity) this.#references.push(0);
  }

  /** A page with one reference, or undefined when all are in use. */
  take(): number | undefined {
    const page = this.#free.pop();
    if (page !== undefined) this.#references[page] = 1;
    return page;
  }

  /** One more user of a page. */
  retain(page: number): void {
    assert(this.#references[page] > 0, `page ${page} is free`);
    this.#references[page]++;
  }

  /** One user fewer; the last one frees it. */
  release(page: number): void {
    assert(this.#references[page] > 0, `page ${page} is free`);
    if (--this.#references[page] === 0) this.#free.push(page);
  }
}
