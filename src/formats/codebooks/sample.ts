// Random file blocks for `WeightFormat.sample`: any bits, with scales that give weights of a chosen size.

import { f32ToF16 } from "../../base/dtype.ts";
import type { Rng } from "../../base/rng.ts";

/** `blocks` blocks of random bytes. */
export function randomBlocks(rng: Rng, blocks: number, bytesPerBlock: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: blocks * bytesPerBlock }, () => rng.below(256));
}

/** f16 bits of a scale of either sign between half of `size` and all of it. */
export function randomHalf(rng: Rng, size: number): number {
  return f32ToF16((0.5 + rng.unit() / 2) * (rng.below(2) === 0 ? size : -size));
}

/** Random blocks whose f16 at byte `at` is a scale of about `size`. */
export function scaledBlocks(
  rng: Rng,
  blocks: number,
  options: { bytesPerBlock: number; at: number; size: number },
): Uint8Array<ArrayBuffer> {
  const bytes = randomBlocks(rng, blocks, options.bytesPerBlock);
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < blocks; block++)
    view.setUint16(block * options.bytesPerBlock + options.at, randomHalf(rng, options.size), true);
  return bytes;
}
