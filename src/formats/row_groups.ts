// Walks file rows and names the places they take in row groups (format.ts describes the layout). Every format's planes are
// built of 16-byte units in the order [unit of the row][row in group]; formats decide only what one unit holds.

import { assert } from "../base/errors.ts";
import { blockWidth, rowGroupSize } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { RowSpan } from "./format.ts";

/** Bytes of one unit, a `vec4<u32>` in a shader. */
export const unitBytes = 16;

/** 32-weight blocks of a row, the last one padded. */
export function blocksOf(cols: number): number {
  return ceilDiv(cols, blockWidth);
}

/** Units of a plane (8 rows) that stores `perRow` units of each row. */
export function planeUnits(perRow: number): number {
  return perRow * rowGroupSize;
}

/** The two sides of a repack as words. */
export interface RepackViews {
  readonly source: DataView;
  readonly words: Uint32Array;
}

/** Checks the sizes and gives word access; file blocks start at any byte, row groups at multiples of 4. */
export function repackViews(source: Uint8Array, sourceBytes: number, out: Uint8Array, outBytes: number): RepackViews {
  assert(source.byteLength === sourceBytes, `repack got ${source.byteLength} bytes, needs ${sourceBytes}`);
  assert(out.byteLength === outBytes, `repack fills ${outBytes} bytes, got room for ${out.byteLength}`);
  assert(out.byteOffset % 4 === 0, "row groups start at a multiple of 4 bytes");
  return {
    source: new DataView(source.buffer, source.byteOffset, source.byteLength),
    words: new Uint32Array(out.buffer, out.byteOffset, out.byteLength / 4),
  };
}

/** Row groups that hold `rows` rows. */
export function groupsOf(rows: number): number {
  return ceilDiv(rows, rowGroupSize);
}

/**
 * Calls `visit(row, at)` for each row; `at` is the word where the row's first unit of a plane at offset 0 begins, so unit `u`
 * of the plane at `plane` units is at word `at + 4 * (plane + u * 8)`.
 */
export function eachRow(span: RowSpan, groupBytes: number, visit: (row: number, at: number) => void): void {
  for (let row = 0; row < span.rows; row++) {
    const group = Math.floor(row / rowGroupSize);
    visit(row, (group * groupBytes) / 4 + (row % rowGroupSize) * 4);
  }
}

/** Words from one unit of a row to its next. */
export const unitStride: number = (unitBytes / 4) * rowGroupSize;
