// The order of 4-bit and 2-bit codes in row groups, shared by the formats that have them: word i of a 32-weight block holds
// the weights 8i .. 8i+3 in the low and 8i+4 .. 8i+7 in the high nibbles of its bytes, so that one mask gives four neighbours.

const low = 0x0f0f0f0f;

/** Four low nibbles beside four high ones: bytes of `first` (weights 0-3) and `second` (weights 4-7), low nibbles of each. */
export function joinLow(first: number, second: number): number {
  return (first & low) | ((second & low) << 4);
}

/** The same from the high nibbles. */
export function joinHigh(first: number, second: number): number {
  return ((first >>> 4) & low) | (second & 0xf0f0f0f0);
}

/** `step * values[q]` of codes whose byte j holds weight j in its low and weight j + `out.length / 2` in its high nibble. */
export function takeHalves(
  from: DataView,
  file: number,
  { values, step }: { readonly values: readonly number[]; readonly step: number },
  out: Float32Array,
): void {
  const half = out.length / 2;
  for (let index = 0; index < half; index++) {
    const byte = from.getUint8(file + index);
    out[index] = step * values[byte & 15];
    out[half + index] = step * values[byte >> 4];
  }
}

/** One unit from the 16 file bytes at `file`, where byte j holds weight j in its low and weight j + 16 in its high nibble. */
export function putHalves(from: DataView, file: number, words: Uint32Array, unit: number): void {
  const a = from.getUint32(file, true);
  const b = from.getUint32(file + 4, true);
  const c = from.getUint32(file + 8, true);
  const d = from.getUint32(file + 12, true);
  words[unit] = joinLow(a, b);
  words[unit + 1] = joinLow(c, d);
  words[unit + 2] = joinHigh(a, b);
  words[unit + 3] = joinHigh(c, d);
}
