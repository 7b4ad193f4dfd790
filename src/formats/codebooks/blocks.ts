// What the formats over a grid share: weights from points, signs and scales.

import type { Grid } from "./grid.ts";

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
