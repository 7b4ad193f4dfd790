// The least memory that a program's values can do with, by branch and bound: what the greedy plan (graph/memory) is compared with. Takes
// time exponential in the number of values, so it is for programs of one layer.

import type { KernelCall } from "../graph/call.ts";
import type { Value } from "../graph/ir.ts";
import { type MemoryShape, valueBytes } from "../graph/memory.ts";

interface Lifetime {
  readonly bytes: number;
  readonly type: Value["type"];
  /** Calls from the one that makes it to its last reader, both included. */
  readonly first: number;
  readonly last: number;
}

/** Bytes of whole buffers of one type each, no two values of a buffer alive in the same call; `keep` stay alive to the end. */
export function exactMemoryBytes(calls: readonly KernelCall[], shape: MemoryShape, keep: ReadonlySet<number>): number {
  const lifetimes = lifetimesOf(calls, shape, keep);
  return (["act", "f32", "u32"] as const).reduce((sum, type) => sum + solve(lifetimes.filter((one) => one.type === type)), 0);
}

function lifetimesOf(calls: readonly KernelCall[], shape: MemoryShape, keep: ReadonlySet<number>): readonly Lifetime[] {
  const found = new Map<number, Lifetime>();
  for (const [index, call] of calls.entries()) {
    for (const value of [...call.inputs, ...call.outputs]) {
      const first = found.get(value.id)?.first ?? index;
      const last = keep.has(value.id) ? calls.length : index;
      found.set(value.id, { bytes: valueBytes(value, shape), type: value.type, first, last });
    }
  }
  return [...found.values()];
}

/**
 * Largest value first: it opens a buffer of its size, and what follows goes into an open one for nothing or opens another. Equal sizes that
 * are tried in a fixed order and the sum of what must be alive together cut the search.
 */
function solve(lifetimes: readonly Lifetime[]): number {
  const values = lifetimes.toSorted((a, b) => b.bytes - a.bytes || a.first - b.first);
  const bound = aliveTogether(values);
  let best = Number.POSITIVE_INFINITY;
  const buffers: Lifetime[][] = [];
  const place = (index: number, bytes: number): void => {
    if (bytes >= best || best === bound) return;
    const value = values[index];
    if (value === undefined) {
      best = bytes;
      return;
    }
    for (const buffer of buffers) {
      if (buffer.some((other) => other.first <= value.last && value.first <= other.last)) continue;
      buffer.push(value);
      place(index + 1, bytes);
      buffer.pop();
    }
    buffers.push([value]);
    place(index + 1, bytes + value.bytes);
    buffers.pop();
  };
  place(0, 0);
  return best;
}

function aliveTogether(values: readonly Lifetime[]): number {
  const sums = values.map(({ first }) => values.reduce((sum, one) => (one.first <= first && first <= one.last ? sum + one.bytes : sum), 0));
  return Math.max(0, ...sums);
}
