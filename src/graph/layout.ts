// Decides where every weight lies on the GPU (decision 5): a slab for each range of rows that is bound, in which the tensors of a stack
// follow each other; one slab for all f32 vectors. Cuts what would outgrow a binding.

import { assert } from "../base/errors.ts";
import { alignUp, ceilDiv } from "../base/math.ts";
import { bindAlignment, type LayoutPlan, rowGroupSize, rowStride, type Slab, type SlabPart } from "../base/layout.ts";
import { codebookBytes, matrixBytes, type WeightFormat } from "../formats/format.ts";
import { type KernelCall, type StackPart, stackStarts, type VectorRange, type WeightRange } from "./call.ts";

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

/** Lays out the weights of all programs of a model; equal ranges of different programs share bytes. */
export function planLayout(
  calls: readonly KernelCall[],
  formats: ReadonlyMap<number, WeightFormat>,
  maxBindingBytes: number,
): WeightLayout {
  const matrices = new Map<string, SlabRange>();
  const slabs: Slab[] = [];
  for (const range of calls.flatMap((call) => call.weights)) {
    if (matrices.has(rangeKey(range))) continue;
    const slab = slabOf(range, formats);
    assert(slab.bytes <= maxBindingBytes, `${slab.name} exceeds a binding of ${maxBindingBytes} bytes`);
    matrices.set(rangeKey(range), { slab: slab.name, byteOffset: 0, bytes: slab.bytes });
    slabs.push(slab);
  }
  const vectors = planVectors(calls);
  const all = [...slabs, vectors.slab];
  return {
    plan: { slabs: all, bytes: all.reduce((sum, slab) => sum + slab.bytes, 0) },
    matrix(range) {
      const placed = matrices.get(rangeKey(range));
      assert(placed, `${rangeKey(range)} is not in the layout plan`);
      return placed;
    },
    vector(range) {
      const placed = vectors.places.get(vectorKey(range));
      assert(placed, `${range.tensor} is not in the layout plan`);
      const skipped = (range.start ?? 0) * 4;
      return { slab: vectorSlab, byteOffset: placed.byteOffset + skipped, bytes: placed.bytes - skipped };
    },
  };
}

function rangeKey({ tensor, rowStart, rows, stack }: WeightRange): string {
  return `${tensor}[${rowStart}+${rows}]${stackKey(stack)}`;
}

function vectorKey({ tensor, stack }: VectorRange): string {
  return `${tensor}${stackKey(stack)}`;
}

function stackKey(stack: readonly StackPart[] = []): string {
  return stack.map(({ tensor = "", rows }) => `|${tensor}:${rows}`).join("");
}

function slabOf(range: WeightRange, formats: ReadonlyMap<number, WeightFormat>): Slab {
  const { ggufType, rows, cols } = range;
  const format = formats.get(ggufType);
  assert(format, `no weight format ${ggufType}`);
  const bytes = placedBytes(format, rows, cols);
  return { name: rangeKey(range), kind: "matrix", ggufType, cols, bytes, parts: partsOf(range, format, bytes) };
}

/** One part, or those of a stack: their row groups follow each other after one codebook, so that they are one range. */
function partsOf({ tensor, rowStart, rows, cols, stack }: WeightRange, format: WeightFormat, bytes: number): SlabPart[] {
  if (!stack) return [{ tensor, rowStart, rows, byteOffset: 0, bytes }];
  const { starts, end } = stackStarts(stack);
  assert(rowStart === 0 && end <= rows && rows < alignUp(end, rowGroupSize) + rowGroupSize, `${tensor} begins a stack of ${end} rows`);
  const groupStart = (index: number): number => {
    return index < stack.length ? codebookBytes(format) + (starts[index] / rowGroupSize) * format.rowGroupBytes(cols) : bytes;
  };
  return stack.map((part, index): SlabPart => {
    assert(part.tensor !== undefined, "a stack of weights has no gaps but those to whole row groups");
    const start = index === 0 ? 0 : groupStart(index);
    const span = {
      tensor: part.tensor,
      rowStart: 0,
      rows: part.rows,
      byteOffset: start,
      bytes: groupStart(index + 1) - start,
    };
    return index === 0 ? span : { ...span, stacked: true };
  });
}

interface PlacedVectors {
  readonly slab: Slab;
  readonly places: ReadonlyMap<string, { readonly byteOffset: number; readonly bytes: number }>;
}

function planVectors(calls: readonly KernelCall[]): PlacedVectors {
  const places = new Map<string, { byteOffset: number; bytes: number }>();
  const parts: SlabPart[] = [];
  let byteOffset = 0;
  for (const range of calls.flatMap(({ vectors }) => vectors)) {
    if (places.has(vectorKey(range))) continue;
    const bytes = alignUp(rowStride(range.length) * 4, bindAlignment);
    places.set(vectorKey(range), { byteOffset, bytes });
    if (!range.stack) parts.push({ tensor: range.tensor, rowStart: 0, rows: 1, byteOffset, bytes });
    else parts.push(...vectorParts(range.stack, byteOffset));
    byteOffset += bytes;
  }
  return { slab: { name: vectorSlab, kind: "vector", ggufType: 0, cols: 0, bytes: byteOffset, parts }, places };
}

/** What no part covers stays the zero that a slab is made with. */
function vectorParts(stack: readonly StackPart[], byteOffset: number): SlabPart[] {
  const { starts } = stackStarts(stack);
  return stack.flatMap(({ tensor, rows }, index): SlabPart[] => {
    if (tensor === undefined) return [];
    return [{ tensor, rowStart: 0, rows: 1, byteOffset: byteOffset + starts[index] * 4, bytes: rows * 4, stacked: true }];
  });
}
