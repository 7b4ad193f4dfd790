// Scales that quantizers choose, and the codes that go with them. Codes are rounded by the scale as it is stored, an f16.

import { f16ToF32, f32ToF16 } from "../base/dtype.ts";
import { clamp } from "../base/math.ts";

/** The number farthest from zero. */
export function farthest(list: Iterable<number>): number {
  let most = 0;
  for (const value of list) if (Math.abs(value) > Math.abs(most)) most = value;
  return most;
}

/** The least number up to zero, and the greatest from zero on. */
export function rangeAroundZero(list: ArrayLike<number>): readonly [number, number] {
  let least = 0;
  let most = 0;
  for (let index = 0; index < list.length; index++) {
    const value = list[index];
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return [least, most];
}

/** Writes `value` as f16 at byte `at` and gives it as it is read back. */
export function storeHalf(to: DataView, at: number, value: number): number {
  const bits = f32ToF16(value);
  to.setUint16(at, bits, true);
  return f16ToF32(bits);
}

/** `(value - start) / step` as a code from 0 to `most`. */
export function codeFor(value: number, { step, start, most }: { step: number; start: number; most: number }): number {
  return step === 0 ? 0 : clamp(Math.round((value - start) / step), 0, most);
}
