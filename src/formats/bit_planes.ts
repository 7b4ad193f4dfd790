// The order of single bits and of 2-bit codes in row groups, shared by the formats that have planes of them. Like nibbles.ts, it
// keeps four neighbours in the same bits of the four bytes of a word: bit t of byte i of a block's word is for weight 4t + i;
// bits 2t and 2t + 1 of byte i of the block's word u are for weight 16u + 4t + i.

/** Sixteen 2-bit codes from bits `shift` and up of the 16 bytes at `file`, a byte for each weight. */
export function pairWord(from: DataView, file: number, shift: number): number {
  let word = 0;
  for (let t = 0; t < 4; t++) word |= ((from.getUint32(file + 4 * t, true) >>> shift) & 0x03030303) << (2 * t);
  return word;
}

/** Bit `shift` of each of the 32 bytes at `file`, a byte for each weight. */
export function bitWord(from: DataView, file: number, shift: number): number {
  let word = 0;
  for (let t = 0; t < 8; t++) word |= ((from.getUint32(file + 4 * t, true) >>> shift) & 0x01010101) << t;
  return word;
}

/** From a word with bit j for weight j: the eight bits of every fourth weight, four apart, move together. */
export function spreadBits(sequential: number): number {
  let word = 0;
  for (let i = 0; i < 4; i++) {
    let byte = (sequential >>> i) & 0x11111111;
    byte = (byte | (byte >>> 3)) & 0x03030303;
    byte = (byte | (byte >>> 6)) & 0x000f000f;
    byte = (byte | (byte >>> 12)) & 0xff;
    word |= byte << (8 * i);
  }
  return word;
}

/** From a word with bits 2j for weight j: sixteen pairs as a 4 by 4 matrix, transposed by swapping blocks across its diagonal. */
export function spreadPairs(sequential: number): number {
  const inner = ((sequential >>> 6) ^ sequential) & 0x00cc00cc;
  const once = sequential ^ inner ^ (inner << 6);
  const outer = ((once >>> 12) ^ once) & 0x0000f0f0;
  return once ^ outer ^ (outer << 12);
}
