// The memory plan of a program: which pooled buffer holds which value when. Whole buffers, never sub-ranges, because WebGPU
// rejects a dispatch that binds one buffer both read-only and writable.

import { alignUp } from "../base/math.ts";
import { bindAlignment, rowStride } from "../base/layout.ts";
import type { KernelCall } from "./call.ts";
import type { Value } from "./ir.ts";

/** Sizes that values depend on. */
export interface MemoryShape {
  readonly maxRows: number;
  readonly maxOutputRows: number;
  /** Bytes of an activation element: 4, or 2 with f16 storage. */
  readonly activationBytes: number;
}

export interface PlannedBuffer {
  readonly bytes: number;
  readonly type: Value["type"];
}

export interface MemoryPlan {
  readonly buffers: readonly PlannedBuffer[];
  /** Buffer index by value id. */
  readonly placement: ReadonlyMap<number, number>;
  readonly bytes: number;
}

/** Bytes of a value's buffer. */
export function valueBytes(value: Value, shape: MemoryShape): number {
  const rows = (value.rows === "rows" ? shape.maxRows : shape.maxOutputRows) + (value.extraRows ?? 0);
  const cols = value.type === "u32" ? value.cols : rowStride(value.cols);
  return alignUp(rows * cols * (value.type === "act" ? shape.activationBytes : 4), bindAlignment);
}

/**
 * Greedy placement in call order: each output takes the smallest free buffer of its type that fits, else the largest free
 * one grown, else a new one. A value's buffer is free again after its last reader; values in `keep` are never freed, and
 * with `keepAll` none is (for comparing every value with the interpreter).
 */
export function planMemory(calls: readonly KernelCall[], shape: MemoryShape, keep: ReadonlySet<number>, keepAll = false): MemoryPlan {
  const lastUse = new Map<number, number>();
  calls.forEach((call, index) => {
    for (const value of [...call.inputs, ...call.outputs]) lastUse.set(value.id, index);
  });
  const buffers: Array<{ bytes: number; type: Value["type"]; free: boolean }> = [];
  const placement = new Map<number, number>();
  calls.forEach((call, index) => {
    for (const value of call.outputs) {
      if (!placement.has(value.id)) placement.set(value.id, take(buffers, value.type, valueBytes(value, shape)));
    }
    for (const value of [...call.inputs, ...call.outputs]) {
      const buffer = placement.get(value.id);
      if (buffer === undefined || keepAll || keep.has(value.id) || lastUse.get(value.id) !== index) continue;
      buffers[buffer].free = true;
    }
  });
  return { buffers, placement, bytes: buffers.reduce((sum, buffer) => sum + buffer.bytes, 0) };
}

function take(buffers: Array<{ bytes: number; type: Value["type"]; free: boolean }>, type: Value["type"], bytes: number): number {
  const free = buffers.flatMap((buffer, index) => (buffer.free && buffer.type === type ? [index] : []));
  const bySize = free.toSorted((a, b) => buffers[a].bytes - buffers[b].bytes);
  const index = bySize.find((candidate) => buffers[candidate].bytes >= bytes) ?? bySize.at(-1);
  if (index === undefined) return buffers.push({ bytes, type, free: false }) - 1;
  buffers[index].bytes = Math.max(buffers[index].bytes, bytes);
  buffers[index].free = false;
  return index;
}
