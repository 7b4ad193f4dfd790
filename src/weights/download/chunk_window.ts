// ChunkWindow: the chunks of one file that are in memory, in buffers of the shared pool. Chunks in use are pinned, chunks that a reader is
// yet to come for are kept, all others stay until somebody needs their buffer.

import { assert } from "../../base/errors.ts";
import type { DownloadPool } from "./pool.ts";

/** A chunk that stays as it is until it is let go. */
export interface PinnedChunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Called once. */
  letGo(): void;
}

interface Entry {
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** The chunk's own bytes; the last chunk is shorter than its buffer. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  pins: number;
  kept: boolean;
  /** Lent to the pool. */
  lent: boolean;
  /** No longer in the window; its buffer goes back with its last pin. */
  gone: boolean;
}

export class ChunkWindow {
  readonly #pool: DownloadPool;
  readonly #entries = new Map<number, Entry>();

  constructor(pool: DownloadPool) {
    this.#pool = pool;
  }

  has(index: number): boolean {
    return this.#entries.has(index);
  }

  /** Takes over a buffer that holds a chunk. */
  add(index: number, buffer: Uint8Array<ArrayBuffer>, length: number): PinnedChunk {
    this.drop(index);
    const entry = { buffer, bytes: buffer.subarray(0, length), pins: 0, kept: false, lent: false, gone: false };
    this.#entries.set(index, entry);
    return this.#pinned(index, entry);
  }

  /** The chunk for use, or undefined when it is not here. */
  pin(index: number): PinnedChunk | undefined {
    const entry = this.#entries.get(index);
    return entry === undefined ? undefined : this.#pinned(index, entry);
  }

  /** Keeps a chunk although nobody uses it just now, or no longer. */
  keep(index: number, kept: boolean): void {
    const entry = this.#entries.get(index);
    if (entry === undefined || entry.kept === kept) return;
    entry.kept = kept;
    this.#settle(index, entry);
  }

  /** Chunks that are kept. */
  kept(): readonly number[] {
    return [...this.#entries].filter(([, { kept }]) => kept).map(([index]) => index);
  }

  drop(index: number): void {
    const entry = this.#entries.get(index);
    if (entry === undefined) return;
    this.#entries.delete(index);
    entry.gone = true;
    this.#settle(index, entry);
  }

  clear(): void {
    for (const index of this.#entries.keys()) this.drop(index);
  }

  #pinned(index: number, entry: Entry): PinnedChunk {
    entry.pins++;
    this.#settle(index, entry);
    return {
      bytes: entry.bytes,
      letGo: () => {
        assert(entry.pins > 0, `chunk ${index} is let go once for each pin`);
        entry.pins--;
        this.#settle(index, entry);
      },
    };
  }

  #settle(index: number, entry: Entry): void {
    if (entry.lent) this.#pool.reclaim(entry.buffer);
    entry.lent = entry.pins === 0 && !entry.kept && !entry.gone;
    // Lent anew each time, so that the pool's order is that of use.
    if (entry.lent) this.#pool.lend(entry.buffer, () => this.#entries.delete(index));
    else if (entry.gone && entry.pins === 0) this.#pool.give(entry.buffer);
  }
}
