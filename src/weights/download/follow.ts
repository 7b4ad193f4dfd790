// HashFollower: keeps the hash of the whole file close behind its download. Chunks that pass in order are hashed from memory, those that came
// too early once it is their turn: from memory if they are still there, else read back from the store while the network is busy.

import type { ChunkWindow } from "./chunk_window.ts";
import type { WholeHash } from "./whole_hash.ts";
import type { DownloadPool } from "./pool.ts";

export interface FollowerParts {
  readonly hash: WholeHash;
  readonly window: ChunkWindow;
  readonly pool: DownloadPool;
  /** A stored chunk, or undefined. */
  readonly readStored: (index: number, into: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer> | undefined>;
  readonly isStored: (index: number) => boolean;
}

/** Chunks that may wait in memory, where there is no store, for those before them to be hashed. */
const mostAhead = 6;

export class HashFollower {
  readonly #parts: FollowerParts;
  #catchingUp = false;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
  }

  /** A chunk that is whole and right. */
  passed(index: number, bytes: Uint8Array): void {
    const { hash, window } = this.#parts;
    if (!hash.offer(index, bytes)) return;
    for (let chunk = window.pin(hash.next); chunk !== undefined; chunk = window.pin(hash.next)) {
      hash.offer(hash.next, chunk.bytes);
      chunk.letGo();
    }
  }

  /** Whether a chunk that is stored nowhere should stay in memory for its turn. */
  awaits(index: number): boolean {
    const { next } = this.#parts.hash;
    return index >= next && index <= next + mostAhead;
  }

  /** Hashes what is stored of the chunks that come next. What cannot be read now is left for whoever ends the hash. */
  async catchUp(signal: AbortSignal): Promise<void> {
    const { hash, window, pool, isStored, readStored } = this.#parts;
    if (this.#catchingUp) return;
    this.#catchingUp = true;
    try {
      while (!signal.aborted && isStored(hash.next) && !window.has(hash.next)) {
        const buffer = pool.tryTake(false);
        if (buffer === undefined) return;
        const index = hash.next;
        const bytes = await readStored(index, buffer);
        if (bytes !== undefined && hash.next === index) this.passed(index, bytes);
        pool.give(buffer);
        if (bytes === undefined) return;
      }
    } finally {
      this.#catchingUp = false;
    }
  }
}
