// Random file blocks for `WeightFormat.sample`: every field takes any bits, except that scales get a size that makes weights
// of a chosen size.

import { f32ToF16 } from "../base/dtype.ts";
import type { Rng } from "../base/rng.ts";

/** Where a file block has f16 numbers, by byte offset, and about which size they have where weights are about 0.1. */
export type HalfSizes = Readonly<Record<number, number>>;

/** `blocks` blocks of random bytes. */
export function randomBlocks(rng: Rng, blocks: number, bytesPerBlock: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: blocks * bytesPerBlock }, () => rng.below(256));
}

/** f16 bits of a scale of either sign, within a factor of two of `size`; one in 32 is zero. */
export function randomHalf(rng: Rng, size: number): number {
  const sign = rng.below(2) * 2 - 1;
  return rng.below(32) === 0 ? 0 : f32ToF16(sign * size * (0.5 + 1.5 * rng.unit()));
}

/** Random blocks with scales of the given sizes. */
export function sampleBlocks(
  rng: Rng,
  blocks: number,
  { bytesPerBlock, sizes }: { bytesPerBlock: number; sizes: HalfSizes },
): Uint8Array<ArrayBuffer> {
  const bytes = randomBlocks(rng, blocks, bytesPerBlock);
  const view = new DataView(bytes.buffer);
  const fields = Object.entries(sizes).map(([at, size]) => [Number(at), size] as const);
  for (let file = 0; file < bytes.length; file += bytesPerBlock) {
    for (const [at, size] of fields) view.setUint16(file + at, randomHalf(rng, size), true);
  }
  return bytes;
}
