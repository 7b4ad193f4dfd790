// A coarse copy of a matrix, for guessing at what is not worth having: TQ2_0's two bits a weight, of any values. Ternary weights of least
// error, near enough: arXiv:1605.04711, equations 5 and 6.

import { assert } from "../base/errors.ts";
import { f32ToF16 } from "../base/dtype.ts";
import { tq2_0 } from "./tq2_0.ts";

/** Share of the mean size below which a weight becomes zero. */
const zeroBelow = 0.7;

/** Values as TQ2_0 file bytes; their number is a multiple of 256. */
export function ternary(values: Float32Array): Uint8Array<ArrayBuffer> {
  const { blockSize, bytesPerBlock } = tq2_0;
  assert(values.length % blockSize === 0, `${values.length} weights are no whole blocks`);
  const bytes = new Uint8Array((values.length / blockSize) * bytesPerBlock);
  for (let block = 0; block * blockSize < values.length; block++) {
    ternaryBlock(values.subarray(block * blockSize, (block + 1) * blockSize), bytes.subarray(block * bytesPerBlock));
  }
  return bytes;
}

function ternaryBlock(values: Float32Array, bytes: Uint8Array): void {
  let sum = 0;
  for (const value of values) sum += Math.abs(value);
  const limit = (zeroBelow * sum) / values.length;
  let [kept, count] = [0, 0];
  for (const [index, value] of values.entries()) {
    const size = Math.abs(value);
    const code = size <= limit ? 1 : value > 0 ? 2 : 0;
    bytes[(index >> 7) * 32 + (index & 31)] |= code << (2 * ((index >> 5) & 3));
    if (size <= limit) continue;
    kept += size;
    count++;
  }
  const scale = f32ToF16(count === 0 ? 0 : Math.min(kept / count, 65504));
  bytes[64] = scale & 0xff;
  bytes[65] = scale >> 8;
}
