// A store that fails on purpose: counts every step over a real one and, at the steps a plan picks, refuses, lies or crashes.
// After a crash nothing works any more; what the real store holds then is what the next visit finds.

import type { ChunkStore } from "../store/chunk_store.ts";
import type { KeyValue } from "../store/key_value.ts";

export interface StoreHalves {
  readonly keyValue: KeyValue;
  readonly chunks: ChunkStore;
}

export interface StoreStep {
  /** From 1. */
  readonly number: number;
  readonly half: "values" | "chunks";
  readonly call: "get" | "getMany" | "set" | "delete" | "keys" | "put" | "read" | "files";
  /** First key, or the file. */
  readonly what: string;
}

export type StoreFault =
  /** The call fails with this, having done nothing. */
  | { readonly kind: "fail"; readonly error: Error }
  /** The call says that it is done, having done nothing; reads find nothing. */
  | { readonly kind: "lie" }
  /** The process dies: before the call did anything, after it was done, or half-way where a tier can stop half-way. */
  | { readonly kind: "crash"; readonly when: "before" | "after" | "torn" };

export type StorePlan = (step: StoreStep) => StoreFault | undefined;

export class Crashed extends Error {
  constructor() {
    super("the process died here");
  }
}

export interface FaultyStore extends StoreHalves {
  /** Steps so far. */
  readonly steps: StoreStep[];
}

export const crashes = ["before", "after", "torn"] as const;

/** Crashes at one step. */
export function crashAt(number: number, when: (typeof crashes)[number]): StorePlan {
  return (step) => (step.number === number ? { kind: "crash", when } : undefined);
}

export function faultyStore(inner: StoreHalves, plan: StorePlan = () => undefined): FaultyStore {
  const steps: StoreStep[] = [];
  let crashed = false;
  const run = async <T>(step: Omit<StoreStep, "number">, calls: { call: () => Promise<T>; nothing: T; half?: () => Promise<unknown> }) => {
    if (crashed) throw new Crashed();
    const counted = { number: steps.length + 1, ...step };
    steps.push(counted);
    const fault = plan(counted);
    if (fault === undefined) return calls.call();
    if (fault.kind === "fail") throw fault.error;
    if (fault.kind === "lie") return calls.nothing;
    crashed = true;
    if (fault.when === "after") await calls.call();
    if (fault.when === "torn") await calls.half?.();
    throw new Crashed();
  };
  return { steps, keyValue: faultyValues(inner.keyValue, run), chunks: faultyChunks(inner.chunks, run) };
}

type Run = <T>(step: Omit<StoreStep, "number">, calls: { call: () => Promise<T>; nothing: T; half?: () => Promise<unknown> }) => Promise<T>;

function valueStep(call: StoreStep["call"], keys: readonly string[]): Omit<StoreStep, "number"> {
  return { half: "values", call, what: keys[0] ?? "" };
}

function chunkStep(call: StoreStep["call"], what: string): Omit<StoreStep, "number"> {
  return { half: "chunks", call, what };
}

function faultyValues(inner: KeyValue, run: Run): KeyValue {
  return {
    get: (key) => run(valueStep("get", [key]), { call: () => inner.get(key), nothing: undefined }),
    getMany: (keys) => run(valueStep("getMany", keys), { call: () => inner.getMany(keys), nothing: keys.map(() => undefined) }),
    set: (entries, durability) => {
      const keys = entries.map(([key]) => key);
      // A set is written whole or not at all: that much a tier has to promise.
      return run(valueStep("set", keys), { call: () => inner.set(entries, durability), nothing: undefined });
    },
    delete: (keys) => {
      const half = (): Promise<void> => inner.delete(keys.slice(0, keys.length >> 1));
      return run(valueStep("delete", keys), { call: () => inner.delete(keys), nothing: undefined, half });
    },
    keys: (prefix) => run(valueStep("keys", [prefix]), { call: () => inner.keys(prefix), nothing: [] }),
    close: () => undefined,
  };
}

function faultyChunks(inner: ChunkStore, run: Run): ChunkStore {
  return {
    tier: inner.tier,
    put: (file, index, bytes, spacing) => {
      const half = async (): Promise<void> => {
        const torn = (await inner.read(file, index, bytes.length, { spacing })) ?? new Uint8Array(bytes.length);
        torn.set(bytes.subarray(0, bytes.length >> 1));
        await inner.put(file, index, torn, spacing);
      };
      return run(chunkStep("put", file), { call: () => inner.put(file, index, bytes, spacing), nothing: undefined, half });
    },
    read: (file, index, length, options) => {
      return run(chunkStep("read", file), { call: () => inner.read(file, index, length, options), nothing: undefined });
    },
    delete: (file) => run(chunkStep("delete", file), { call: () => inner.delete(file), nothing: undefined }),
    files: () => run(chunkStep("files", ""), { call: () => inner.files(), nothing: [] }),
    close: () => undefined,
  };
}
