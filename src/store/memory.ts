// The memory tier: both halves of the store in this process, gone with it. For tests, for browsers that refuse all storage, and
// for loads that must leave no trace. Keeps copies, so that nobody can change a stored value from outside.

import { ShaderloomError } from "../base/errors.ts";
import { type ChunkStore, placeFor } from "./chunk_store.ts";
import type { KeyValue } from "./key_value.ts";

/** A new, empty store. Closing either half forgets both. */
export function memoryStore(): { keyValue: KeyValue; chunks: ChunkStore } {
  const held: Held = { values: new Map(), files: new Map(), closed: false };
  return { keyValue: memoryValues(held), chunks: memoryChunks(held) };
}

interface Held {
  readonly values: Map<string, unknown>;
  readonly files: Map<string, Map<number, Uint8Array<ArrayBuffer>>>;
  closed: boolean;
}

function memoryValues(held: Held): KeyValue {
  const get = (key: string): unknown => structuredClone(open(held).values.get(key));
  return {
    get: async (key) => get(key),
    getMany: async (keys) => keys.map(get),
    set: async (entries) => {
      // All clones first: a value that cannot be cloned must leave the others unwritten.
      const clones = entries.map(([key, value]) => [key, structuredClone(value)] as const);
      for (const [key, value] of clones) open(held).values.set(key, value);
    },
    delete: async (keys) => {
      for (const key of keys) open(held).values.delete(key);
    },
    keys: async (prefix) => [...open(held).values.keys()].filter((key) => key.startsWith(prefix)).toSorted(byCodeUnit),
    close: () => forget(held),
  };
}

function memoryChunks(held: Held): ChunkStore {
  return {
    tier: "memory",
    put: async (file, index, bytes) => {
      const { files } = open(held);
      const chunks = files.get(file) ?? new Map<number, Uint8Array<ArrayBuffer>>();
      chunks.set(index, bytes.slice());
      files.set(file, chunks);
    },
    read: async (file, index, length, { into } = {}) => {
      const stored = open(held).files.get(file)?.get(index);
      if (stored === undefined || stored.length < length) return undefined;
      const place = placeFor(length, into);
      place.set(stored.subarray(0, length));
      return place;
    },
    delete: async (file) => {
      open(held).files.delete(file);
    },
    files: async () => [...open(held).files.keys()].toSorted(byCodeUnit),
    close: () => forget(held),
  };
}

function open(held: Held): Held {
  if (held.closed) throw new ShaderloomError("STORE.closed", "The model store was closed. Open it again.");
  return held;
}

function forget(held: Held): void {
  held.closed = true;
  held.values.clear();
  held.files.clear();
}

/** `sort()` without an argument would do the same, but linters and readers doubt it. */
function byCodeUnit(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
