// Which chunks are fetched next: those that a reader waits for, then those that were announced, in their order, then the rest in file
// order. Neighbours share a request. Numbers only; nothing here fetches.

export interface Job {
  readonly first: number;
  readonly count: number;
  /** A reader waits for the first of them. */
  readonly urgent: boolean;
}

export interface QueueRules {
  /** Whether a chunk is neither stored nor in memory. */
  readonly missing: (index: number) => boolean;
  /** Most chunks of one request. */
  readonly most: number;
  /** Whether chunks that nobody announced are fetched too. */
  readonly rest: boolean;
}

/** Chunks of a request that a reader waits for: more would make it wait for the others. */
const mostUrgent = 2;

export class DownloadQueue {
  readonly #count: number;
  readonly #wanted = new Map<number, number>();
  readonly #expected = new Map<number, number>();
  readonly #inFlight = new Set<number>();
  #announced: readonly number[] = [];
  #nextAnnounced = 0;
  #nextRest = 0;

  constructor(chunkCount: number) {
    this.#count = chunkCount;
  }

  /** A reader waits for a chunk; told once for each. */
  want(index: number): void {
    this.#wanted.set(index, (this.#wanted.get(index) ?? 0) + 1);
  }

  unwant(index: number): void {
    const left = (this.#wanted.get(index) ?? 0) - 1;
    if (left > 0) this.#wanted.set(index, left);
    else this.#wanted.delete(index);
  }

  wanted(index: number): boolean {
    return this.#wanted.has(index);
  }

  /** Whether a reader waits for a chunk that is not on its way. */
  urgent(missing: (index: number) => boolean): boolean {
    for (const index of this.#wanted.keys()) if (!this.#inFlight.has(index) && missing(index)) return true;
    return false;
  }

  /** Chunks of reads to come, in their order, once for each read. */
  expect(indices: readonly number[]): void {
    this.#expected.clear();
    for (const index of indices) this.#expected.set(index, (this.#expected.get(index) ?? 0) + 1);
    this.#announced = [...this.#expected.keys()];
    this.#nextAnnounced = 0;
    this.#nextRest = 0;
  }

  /** One read of a chunk is over. @returns whether more are to come */
  read(index: number): boolean {
    const left = (this.#expected.get(index) ?? 0) - 1;
    if (left > 0) this.#expected.set(index, left);
    else this.#expected.delete(index);
    return left > 0;
  }

  expects(index: number): boolean {
    return this.#expected.has(index);
  }

  inFlight(index: number): boolean {
    return this.#inFlight.has(index);
  }

  /** The next request, whose chunks count as in flight from then on. */
  next(rules: QueueRules): Job | undefined {
    const free = (index: number): boolean => index < this.#count && !this.#inFlight.has(index) && rules.missing(index);
    const urgent = [...this.#wanted.keys()].find(free);
    const first = urgent ?? this.#ahead(free, rules.rest);
    if (first === undefined) return undefined;
    const most = urgent === undefined ? rules.most : Math.min(rules.most, mostUrgent);
    const joins = (index: number): boolean =>
      free(index) && (urgent === undefined ? rules.rest || this.expects(index) : this.wanted(index));
    let count = 1;
    while (count < most && joins(first + count)) count++;
    for (let i = 0; i < count; i++) this.#inFlight.add(first + i);
    return { first, count, urgent: urgent !== undefined };
  }

  /** A chunk is on its way without a request. */
  begin(index: number): void {
    this.#inFlight.add(index);
  }

  /** A chunk came, or will not come with this request. */
  done(index: number): void {
    this.#inFlight.delete(index);
  }

  /** Looks at all chunks again, some of which may have been lost. */
  restart(): void {
    this.#nextAnnounced = 0;
    this.#nextRest = 0;
  }

  #ahead(free: (index: number) => boolean, rest: boolean): number | undefined {
    for (; this.#nextAnnounced < this.#announced.length; this.#nextAnnounced++) {
      const index = this.#announced[this.#nextAnnounced];
      if (this.expects(index) && free(index)) return index;
    }
    if (!rest) return undefined;
    for (; this.#nextRest < this.#count; this.#nextRest++) {
      if (free(this.#nextRest)) return this.#nextRest;
    }
    return undefined;
  }
}
