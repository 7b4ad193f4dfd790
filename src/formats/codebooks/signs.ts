// Signs of the IQ formats: one bit for each weight, 1 for negative. A file has them in the order of the weights, or seven of each
// eight, where the eighth makes their number even. A GPU word has 32 so that four neighbours lie in the low bits of its bytes.

/** 32 signs in the order of the weights, from four times seven bits. */
export function evenSigns(bits: number): number {
  let signs = 0;
  for (let group = 0; group < 4; group++) {
    const seven = (bits >>> (7 * group)) & 127;
    const four = seven ^ (seven >> 4);
    const two = four ^ (four >> 2);
    signs |= (seven | (((two ^ (two >> 1)) & 1) << 7)) << (8 * group);
  }
  return signs >>> 0;
}

/** The GPU word of 32 signs in the order of the weights: bit t of byte i belongs to weight 4t + i. */
export function signWord(signs: number): number {
  let word = 0;
  for (let t = 0; t < 8; t++) word |= (Math.imul((signs >>> (4 * t)) & 15, 0x00204081) & 0x01010101) << t;
  return word >>> 0;
}
