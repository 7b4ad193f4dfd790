// Decides where every weight lies on the GPU (decision 5): one slab for each tensor, or for tensors that read the same input
// in the same format (Q/K/V, gate/up), split where a slab would outgrow a binding; one slab for all f32 vectors.

import { assert } from "../base/errors.ts";
import { alignUp, ceilDiv } from "../base/math.ts";
import { bindAlignment, type LayoutPlan, rowGroupSize, rowStride, type Slab, type SlabPart } from "../base/layout.ts";
import { codebookBytes, matrixBytes, type WeightFormat } from "../formats/format.ts";
import type { KernelCall, VectorRange, WeightRange } from "./call.ts";

/** A bound range of a slab. */
export interface SlabRange {
  readonly slab: string;
  readonly byteOffset: number;
  readonly bytes: number;
}

/** The plan, and where each range and vector of it is bound. */
export interface WeightLayout {
  readonly plan: LayoutPlan;
  matrix(range: WeightRange): SlabRange;
  vector(range: VectorRange): SlabRange;
}

/** Name of the slab of f32 vectors. */
const vectorSlab = "vectors";

/** Bytes that `rows` rows take in a slab, padded to the binding alignment. */
export function placedBytes(format: WeightFormat, rows: number, cols: number): number {
  return alignUp(matrixBytes(format, rows, cols), bindAlignment);
}

/**
 * Rows [start, end) of each binding of a tensor, so that none exceeds `maxBindingBytes`. Splits fall on 16 row groups, which
 * keeps byte offsets aligned whatever the format.
 */
export function splitRows(options: {
  format: WeightFormat;
  rows: number;
  cols: number;
  maxBindingBytes: number;
}): Array<readonly [number, number]> {
  const { format, rows, cols, maxBindingBytes } = options;
  if (placedBytes(format, rows, cols) <= maxBindingBytes) return [[0, rows]];
  const step = Math.floor((maxBindingBytes - codebookBytes(format)) / (format.rowGroupBytes(cols) * 16)) * 16 * rowGroupSize;
  assert(step > 0, `128 rows of ${cols} ${format.name} weights exceed a binding of ${maxBindingBytes} bytes`);
  return Array.from({ length: ceilDiv(rows, step) }, (_, index) => [index * step, Math.min(rows, (index + 1) * step)] as const);
}

interface OpenSlab {
  readonly name: string;
  readonly ggufType: number;
  readonly cols: number;
  bytes: number;
  readonly parts: SlabPart[];
}

/** Lays out the weights of all programs of a model; equal ranges of different programs share bytes. */
export function planLayout(
  calls: readonly KernelCall[],
  formats: ReadonlyMap<number, WeightFormat>,
  maxBindingBytes: number,
): WeightLayout {
  const matrices = new Map<string, SlabRange>();
  const slabs = new Map<string, OpenSlab>();
  for (const range of calls.flatMap((call) => call.weights)) {
    if (!matrices.has(rangeKey(range))) matrices.set(rangeKey(range), place(slabs, range, formats, maxBindingBytes));
  }
  const vectors = planVectors(calls);
  const all: Slab[] = [...[...slabs.values()].map((slab): Slab => ({ ...slab, kind: "matrix" })), vectors];
  return {
    plan: { slabs: all, bytes: all.reduce((sum, slab) => sum + slab.bytes, 0) },
    matrix(range) {
      const placed = matrices.get(rangeKey(range));
      assert(placed, `${rangeKey(range)} is not in the layout plan`);
      return placed;
    },
    vector({ tensor, start = 0 }) {
      const part = vectors.parts.find((candidate) => candidate.tensor === tensor);
      assert(part, `${tensor} is not in the layout plan`);
      return { slab: vectorSlab, byteOffset: part.byteOffset + start * 4, bytes: part.bytes - start * 4 };
    },
  };
}

function rangeKey(range: WeightRange): string {
  return `${range.tensor}[${range.rowStart}+${range.rows}]`;
}

function place(
  slabs: Map<string, OpenSlab>,
  range: WeightRange,
  formats: ReadonlyMap<number, WeightFormat>,
  maxBindingBytes: number,
): SlabRange {
  const format = formats.get(range.ggufType);
  assert(format, `no weight format ${range.ggufType}`);
  const bytes = placedBytes(format, range.rows, range.cols);
  let slab = slabs.get(range.group);
  if (!slab || slab.bytes + bytes > maxBindingBytes) {
    // A full group goes on in a slab of its own.
    const name = slab ? `${range.group}#${slabs.size}` : range.group;
    slab = { name, ggufType: range.ggufType, cols: range.cols, bytes: 0, parts: [] };
    slabs.set(name, slab);
  }
  const byteOffset = slab.bytes;
  slab.parts.push({ tensor: range.tensor, rowStart: range.rowStart, rows: range.rows, byteOffset, bytes });
  slab.bytes += bytes;
  return { slab: slab.name, byteOffset, bytes };
}

function planVectors(calls: readonly KernelCall[]): Slab {
  const lengths = new Map(calls.flatMap((call) => call.vectors.map(({ tensor, length }) => [tensor, length] as const)));
  const parts: SlabPart[] = [];
  let byteOffset = 0;
  for (const [tensor, length] of lengths) {
    const bytes = alignUp(rowStride(length) * 4, bindAlignment);
    parts.push({ tensor, rowStart: 0, rows: 1, byteOffset, bytes });
    byteOffset += bytes;
  }
  return { name: vectorSlab, kind: "vector", ggufType: 0, cols: 0, bytes: byteOffset, parts };
}
