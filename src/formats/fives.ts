// Five-bit codes as q5_0 and q5_1 have them in a file: a u32 with the fifth bits (bit j of weight j), then 16 bytes of nibbles;
// byte j holds weight j in its low and weight j + 16 in its high nibble.

/** The 32 codes at byte `at`. */
export function readFives(from: DataView, at: number, out: Float32Array): void {
  const bits = from.getUint32(at, true);
  for (let index = 0; index < 16; index++) {
    const byte = from.getUint8(at + 4 + index);
    out[index] = (byte & 15) | (((bits >>> index) & 1) << 4);
    out[16 + index] = (byte >> 4) | (((bits >>> (16 + index)) & 1) << 4);
  }
}

export function writeFives(to: DataView, at: number, codes: readonly number[]): void {
  let bits = 0;
  for (const [index, code] of codes.entries()) bits |= (code >> 4) << index;
  to.setUint32(at, bits, true);
  for (let index = 0; index < 16; index++) to.setUint8(at + 4 + index, (codes[index] & 15) | ((codes[16 + index] & 15) << 4));
}
