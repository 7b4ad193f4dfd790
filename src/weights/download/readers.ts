// Who waits for which chunk: readers say where bytes of a chunk are to go, and get them the moment the chunk is whole. Progress is told
// with each run of bytes, and never more than the length, however often a chunk is fetched.

import { abortError } from "../../base/errors.ts";
import type { ShaderloomError } from "../../base/errors.ts";

export interface ChunkWant {
  /** In the chunk. */
  readonly from: number;
  /** Where the bytes go; nothing is written to it after the wait has ended. */
  readonly into: Uint8Array;
  readonly onBytes?: ((count: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Waiting {
  readonly want: ChunkWant;
  told: number;
  /** Ends the wait. */
  end(error?: ShaderloomError): void;
}

export class ChunkReaders {
  readonly #waiting = new Map<number, Set<Waiting>>();

  waits(index: number): boolean {
    return this.#waiting.has(index);
  }

  /** Resolves when the bytes are in place. @throws {ShaderloomError} AbortError, what `fail` was called with */
  async wait(index: number, want: ChunkWant): Promise<void> {
    const others = this.#waiting.get(index) ?? new Set();
    this.#waiting.set(index, others);
    await new Promise<void>((resolve, reject) => {
      const stop = (): void => waiting.end(abortError());
      const waiting: Waiting = {
        want,
        told: 0,
        end: (error) => {
          want.signal?.removeEventListener("abort", stop);
          others.delete(waiting);
          if (others.size === 0 && this.#waiting.get(index) === others) this.#waiting.delete(index);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      others.add(waiting);
      want.signal?.addEventListener("abort", stop, { once: true });
      if (want.signal?.aborted) stop();
    });
  }

  /** The first `filled` bytes of a chunk have come. */
  progress(index: number, filled: number): void {
    for (const waiting of this.#waiting.get(index) ?? []) tell(waiting, filled);
  }

  /** Gives the chunk to all who wait for it. */
  serve(index: number, bytes: Uint8Array): void {
    for (const waiting of this.#waiting.get(index) ?? []) {
      const { from, into } = waiting.want;
      into.set(bytes.subarray(from, from + into.length));
      tell(waiting, bytes.length);
      waiting.end();
    }
  }

  fail(error: ShaderloomError): void {
    for (const waitings of this.#waiting.values()) for (const waiting of waitings) waiting.end(error);
  }
}

function tell(waiting: Waiting, filled: number): void {
  const { from, into, onBytes } = waiting.want;
  const here = Math.min(Math.max(filled - from, 0), into.length);
  if (here <= waiting.told) return;
  onBytes?.(here - waiting.told);
  waiting.told = here;
}
