// What the formats over a grid share: the walk over super-blocks of 256 weights, and weights from points, signs and scales.

import type { RowSpan } from "../format.ts";
import { eachRow } from "../row_groups.ts";
import type { Grid } from "./grid.ts";

/** Weights of a super-block, the file block of all of these formats. */
export const superSize = 256;

/** Byte offset in the file, number in its row, and the word where the row's first unit of the plane at 0 begins. */
export type SuperVisit = (file: number, index: number, at: number) => void;

/** Calls `visit` for each super-block of the span. */
export function eachSuper(span: RowSpan, sizes: { bytesPerBlock: number; groupBytes: number }, visit: SuperVisit): void {
  const count = span.cols / superSize;
  eachRow(span, sizes.groupBytes, (row, at) => {
    for (let index = 0; index < count; index++) visit((row * count + index) * sizes.bytesPerBlock, index, at);
  });
}

/** 32 weights: indices of their points in the grid, a sign bit for each in the order of the weights, a scale for each half. */
export interface GridBlock {
  readonly points: readonly number[];
  readonly signs: number;
  readonly steps: readonly [number, number];
}

/** Writes the weights of a block to `out` from `at` on: step * value, or step * -value. */
export function writeBlock({ values }: Grid, { points, signs, steps }: GridBlock, out: Float32Array, at: number): void {
  const width = 32 / points.length;
  for (let index = 0; index < 32; index++) {
    const value = values[points[Math.floor(index / width)] * width + (index % width)];
    out[at + index] = steps[index >> 4] * (((signs >>> index) & 1) === 0 ? value : -value);
  }
}
