// The scales of Q4_K and Q5_K: for each of the eight parts of a super-block a six-bit scale and a six-bit minimum in 12 bytes, of
// which the upper four keep two bits elsewhere, after d and dmin (f16). A weight is (d * sc) * q - (dmin * m).

import { clamp } from "../base/math.ts";
import { rangeAroundZero, storeHalf } from "./scaling.ts";

/** The j-th scale (0-7) or minimum (8-15) of the super-block at `file`. */
export function sixBits(view: DataView, file: number, index: number): number {
  const at = file + 4;
  const j = index & 7;
  const isMin = index >> 3;
  if (j < 4) return view.getUint8(at + j + 4 * isMin) & 63;
  return ((view.getUint8(at + j + 4) >> (4 * isMin)) & 15) | ((view.getUint8(at + j - 4 + 4 * isMin) >> 6) << 4);
}

/** Four bytes of `sixBits`, from index 4i on, as a word. */
export function scaleWord(view: DataView, file: number, i: number): number {
  let word = 0;
  for (let byte = 0; byte < 4; byte++) word |= sixBits(view, file, i * 4 + byte) << (8 * byte);
  return word;
}

function writeSixBits(view: DataView, file: number, scales: readonly number[], mins: readonly number[]): void {
  const at = file + 4;
  for (let j = 0; j < 4; j++) {
    view.setUint8(at + j, scales[j] | ((scales[j + 4] >> 4) << 6));
    view.setUint8(at + j + 4, mins[j] | ((mins[j + 4] >> 4) << 6));
    view.setUint8(at + j + 8, (scales[j + 4] & 15) | ((mins[j + 4] & 15) << 4));
  }
}

function sixBitCodes(list: readonly number[], unit: number): number[] {
  return list.map((value) => (unit === 0 ? 0 : clamp(Math.round(value / unit), 0, 63)));
}

/** Writes d, dmin, scales and minimums for codes from 0 to `most`, and gives the step and the floor of each part. */
export function writeKScales(
  values: Float32Array,
  { to, file, most }: { to: DataView; file: number; most: number },
): { readonly steps: readonly number[]; readonly floors: readonly number[] } {
  const ranges = Array.from({ length: 8 }, (_, j) => rangeAroundZero(values.subarray(j * 32, j * 32 + 32)));
  const steps = ranges.map(([least, greatest]) => (greatest - least) / most);
  const floors = ranges.map(([least]) => -least);
  const d = storeHalf(to, file, Math.max(...steps) / 63);
  const dmin = storeHalf(to, file + 2, Math.max(...floors) / 63);
  const scales = sixBitCodes(steps, d);
  const mins = sixBitCodes(floors, dmin);
  writeSixBits(to, file, scales, mins);
  return { steps: scales.map((scale) => d * scale), floors: mins.map((min) => dmin * min) };
}
