// Grids of the IQ formats: lists of points that codes are indices of, each point a value for 4 or 8 consecutive weights. All of
// ggml's grids are in ascending order when a point is read as a number (first value least significant), so a grid is stored as
// the set of its points: one bit for each possible point, base64. Source of the facts: ggml-common.h of llama.cpp (MIT),
// https://github.com/ggml-org/llama.cpp; codebooks.test.ts compares them with a second publication.

import { assert } from "../../base/errors.ts";

export interface GridFacts {
  /** Set of points, base64 of one bit each, low bits first. */
  readonly points: string;
  readonly count: number;
  /** Values of a point: 8, or 4 in the 3-bit formats. */
  readonly width: 4 | 8;
  /** What a value can be, ascending. */
  readonly levels: readonly number[];
  /** What the GPU's codebook holds for each level: 2 bits at width 8, 4 bits at width 4. */
  readonly codes: readonly number[];
}

export interface Grid {
  /** `[count, width]` values. */
  readonly values: Int8Array;
  /** `count` u16: code j of a point at bit 8 * (j & 1) + (16 / width) * (j >> 1), so that few shifts make bytes of them. */
  readonly codebook: Uint8Array;
}

/** Makes the grid when first asked. */
export function lazyGrid(facts: GridFacts): () => Grid {
  let made: Grid | undefined;
  return () => (made ??= makeGrid(facts));
}

function makeGrid({ points, count, width, levels, codes }: GridFacts): Grid {
  const bits = Uint8Array.from(atob(points), (char) => char.charCodeAt(0));
  const values = new Int8Array(count * width);
  const codebook = new Uint8Array(count * 2);
  const view = new DataView(codebook.buffer);
  let index = 0;
  for (let point = 0; point < bits.length * 8; point++) {
    if (((bits[point >> 3] >> (point & 7)) & 1) === 0) continue;
    let rest = point;
    let packed = 0;
    for (let j = 0; j < width; j++) {
      const level = rest % levels.length;
      rest = (rest - level) / levels.length;
      values[index * width + j] = levels[level];
      packed |= codes[level] << (8 * (j & 1) + (16 / width) * (j >> 1));
    }
    view.setUint16(index * 2, packed, true);
    index++;
  }
  assert(index === count, `a grid of ${count} points has ${index}`);
  return { values, codebook };
}
