// What a program is bound to that it does not own, as data.

import { assert } from "../base/errors.ts";
import type { BufferRange } from "../gpu/buffers.ts";

/** The buffers that a program does not own: weights, constants, KV pages, page table and step state. */
export interface BindTable {
  /** Where a slab begins. */
  slab(name: string): BufferRange;
  table(name: string): GPUBuffer;
  kv(layer: number): GPUBuffer;
  /** What slots hold of a layer's pages that are not full; where the type of the pages quantizes full ones. */
  readonly tail?: (layer: number) => GPUBuffer;
  /** Attention that a layer's keys got, where a policy goes by it. */
  readonly scores?: (layer: number) => BufferRange;
  readonly pages: BufferRange;
  readonly state: BufferRange;
  /** How each slot's next token is chosen; programs that end in logits do without. */
  readonly sampling?: BufferRange;
  readonly adjust?: BufferRange;
  readonly mask?: BufferRange;
}

/** What a layer has of its own, which the call has to name. */
export function layerBinding(from: "kv" | "tail" | "scores", layer: number | undefined, table: BindTable): GPUBufferBinding {
  assert(layer !== undefined, `a call that binds ${from} names its layer`);
  if (from === "kv") return { buffer: table.kv(layer) };
  const range = from === "scores" ? table.scores?.(layer) : table.tail && { buffer: table.tail(layer) };
  assert(range, `a program that binds ${from} is bound with them`);
  return { ...range };
}
