// A store as slow as its test says, that fails when told to: for what is read again and again while a model runs. Counts what it gave.

import type { ChunkStore } from "../store/chunk_store.ts";
import { createModelStore, type ModelStoreParts } from "../store/create_model_store.ts";
import { openLocks } from "../store/locks.ts";
import { memoryStore } from "../store/memory.ts";
import type { ModelStore } from "../store/model_store.ts";
import { createProcessLocks } from "../store/process_locks.ts";
import type { StoreHalves } from "./faulty_store.ts";

/** A read, before it is carried out. */
export interface DiskRead {
  /** From 1. */
  readonly number: number;
  readonly file: string;
  readonly index: number;
}

export type DiskTrouble =
  /** The chunk is not there, this time. */
  | "missing"
  /** One bit of it is another, this time. */
  | "flipped"
  /** The same from now on, until it is written again. */
  | "lost"
  | "spoiled"
  /** No answer comes, ever. */
  | "silent"
  /** The store fails with this. */
  | Error;

/** What a throttled store's reads are like. A test may change both while the store is used. */
export interface Disk {
  /** Of reads, all together; undefined: as fast as the store underneath. */
  bytesPerSecond: number | undefined;
  trouble: ((read: DiskRead) => DiskTrouble | undefined) | undefined;
}

export interface DiskCounts {
  readonly reads: number;
  readonly bytesRead: number;
  readonly puts: number;
  readonly bytesPut: number;
}

/** How late a timer may wake a reader before it is the reader's own loss: browsers wake it 4 ms late. */
const mostLateMs = 5;

/**
 * A disk that reads one thing after another: what is asked for while it is busy waits, and a pause saves nothing up. Only how late the timer
 * was is made good to a reader that goes on at once, so that a reader that never pauses gets the stated rate.
 * @returns a function that waits until a read of that many bytes, begun now, would be done
 */
function createPace(disk: Disk): (bytes: number) => () => Promise<void> {
  let freeAt = 0;
  /** Of reads that are over and were followed by no other yet. */
  const lateMs: number[] = [];
  return (bytes) => {
    const { bytesPerSecond } = disk;
    if (bytesPerSecond === undefined) return () => Promise.resolve();
    const due = Math.max(freeAt, performance.now() - (lateMs.shift() ?? 0)) + (bytes * 1000) / bytesPerSecond;
    freeAt = due;
    return async () => {
      for (let left = due - performance.now(); left > 0; left = due - performance.now()) {
        await new Promise((resolve) => void setTimeout(resolve, left));
      }
      lateMs.push(Math.min(mostLateMs, performance.now() - due));
    };
  };
}

export interface ThrottledStore {
  readonly store: ModelStore;
  readonly disk: Disk;
  /** So far. */
  readonly counts: () => DiskCounts;
  /** Forgets everything that is stored while the store stays open, as when a person clears a site's data. */
  readonly clear: () => Promise<void>;
}

/** @param halves  the store underneath; a new one in memory unless given */
export function openThrottledStore(
  disk: Partial<Disk> = {},
  halves: StoreHalves = memoryStore(),
  more: Partial<ModelStoreParts> = {},
): ThrottledStore {
  const counted = { reads: 0, bytesRead: 0, puts: 0, bytesPut: 0 };
  const shared: Disk = { bytesPerSecond: undefined, trouble: undefined, ...disk };
  const store = createModelStore({
    keyValue: halves.keyValue,
    tiers: [throttledChunks(halves.chunks, shared, counted)],
    locks: openLocks("throttled", createProcessLocks()),
    news: { tell: () => undefined, listen: () => () => undefined, close: () => undefined },
    space: async () => ({ usedBytes: null, availableBytes: null, persisted: false }),
    persist: async () => false,
    ...more,
  });
  const clear = async (): Promise<void> => {
    await halves.keyValue.delete(await halves.keyValue.keys(""));
    for (const file of await halves.chunks.files()) await halves.chunks.delete(file);
  };
  return { store, disk: shared, counts: () => ({ ...counted }), clear };
}

type Counted = { -readonly [K in keyof DiskCounts]: DiskCounts[K] };

/** Writes are neither slowed nor spoiled. */
function throttledChunks(inner: ChunkStore, disk: Disk, counted: Counted): ChunkStore {
  const take = createPace(disk);
  const damaged = new Map<string, "missing" | "flipped">();
  const troubleOf = (file: string, index: number): DiskTrouble | undefined => {
    const key = `${file}/${index}`;
    const trouble = disk.trouble?.({ number: counted.reads, file, index });
    if (trouble === "lost" || trouble === "spoiled") damaged.set(key, trouble === "lost" ? "missing" : "flipped");
    return damaged.get(key) ?? trouble;
  };
  return {
    // As a disk's: reads wait, and so can wait side by side.
    tier: "files",
    put: async (...put) => {
      await inner.put(...put);
      damaged.delete(`${put[0]}/${put[1]}`);
      counted.puts++;
      counted.bytesPut += put[2].length;
    },
    read: async (...read) => {
      const [file, index, length] = read;
      counted.reads++;
      const trouble = troubleOf(file, index);
      if (trouble === "silent") return new Promise(() => undefined);
      if (trouble instanceof Error) throw trouble;
      const done = take(length);
      const bytes = trouble === "missing" ? undefined : await inner.read(...read);
      await done();
      counted.bytesRead += bytes?.length ?? 0;
      if (trouble === "flipped" && bytes !== undefined) bytes[bytes.length >> 1] ^= 0x10;
      return bytes;
    },
    delete: (file) => inner.delete(file),
    files: () => inner.files(),
    close: () => inner.close(),
  };
}
