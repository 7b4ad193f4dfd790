// IQ1_M: super-blocks of 256 weights, d * (1 + 2 sc) * (value ± 1/8), values -1, 0 and 1; each 8 are a point of the grid of IQ1_S
// and have a sign of the eighth, each 16 a scale of three bits. File block (56 bytes): 32 low bytes of points; 16 bytes, a nibble
// for each 8 weights: three high bits of the point, and whether the eighth comes off; four u16, each with four scales from bit 0
// on and in bits 12 to 15 a quarter of d (f16), the lowest first.
// Row group: low bytes of points [4 blocks of 32][row]; the nibbles [super-block][row]; for [2 super-blocks][row] two words, each
// with the scales of four blocks in bits 0 to 23 and half of d above.

import { f16ToF32 } from "../base/dtype.ts";
import grid from "../../shaders/parts/weight/grid.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq1_m.wgsl?raw";
import ternary from "../../shaders/parts/weight/ternary_grid.wgsl?raw";
import { blockFormat, putWord } from "./block_format.ts";
import { iq1sGrid } from "./codebooks/iq1s.ts";
import type { WeightFormat } from "./format.ts";
import { randomHalf } from "./sample.ts";

const highAt = 32;
const scalesAt = 48;

/** f16 bits of d. */
function superScale(from: DataView, file: number): number {
  let bits = 0;
  for (let part = 0; part < 4; part++) bits |= (from.getUint16(file + scalesAt + part * 2, true) >> 12) << (4 * part);
  return bits;
}

/** Twelve bits: the scales of two blocks of 32. */
function scaleBits(from: DataView, file: number, pair: number): number {
  return from.getUint16(file + scalesAt + pair * 2, true) & 0xfff;
}

export const iq1_m: WeightFormat = blockFormat({
  name: "iq1_m",
  ggufType: 29,
  blockSize: 256,
  bytesPerBlock: 56,
  part: `${wgsl}\n${ternary}\n${grid}`,
  codebook: () => iq1sGrid().codebook,
  planes: { points: 128, high: 256, scales: 512 },
  sizes: {},
  // The exponent of d: the top nibble of the last u16 after its sign, and two bits of the one before.
  badScale: (source, file) => (source[file + 55] & 0x70) === 0x70 && (source[file + 53] & 0xc0) === 0xc0,
  sampleScales(rng, bytes, file) {
    const d = randomHalf(rng, 0.02);
    for (let part = 0; part < 4; part++) {
      const at = file + scalesAt + part * 2 + 1;
      bytes[at] = (bytes[at] & 15) | (((d >> (4 * part)) & 15) << 4);
    }
  },

  pack({ from, words, at }, file, block) {
    const d = superScale(from, file);
    for (let word = 0; word < 2; word++) {
      const four = scaleBits(from, file, word * 2) | (scaleBits(from, file, word * 2 + 1) << 12);
      putWord(words, at.scales, block * 2 + word, four | (((d >> (8 * word)) & 255) << 24));
    }
    for (let word = 0; word < 4; word++) putWord(words, at.high, block * 4 + word, from.getUint32(file + highAt + word * 4, true));
    for (let part = 0; part < 8; part++) putWord(words, at.points, block * 8 + part, from.getUint32(file + part * 4, true));
  },

  decode(from, file, out) {
    const { values } = iq1sGrid();
    const d = f16ToF32(superScale(from, file));
    for (let group = 0; group < 32; group++) {
      const scale = (scaleBits(from, file, group >> 3) >> (3 * ((group & 7) >> 1))) & 7;
      const step = d * (1 + 2 * scale);
      const nibble = (from.getUint8(file + highAt + (group >> 1)) >> (4 * (group & 1))) & 15;
      const point = from.getUint8(file + group) | ((nibble & 7) << 8);
      const delta = nibble < 8 ? 0.125 : -0.125;
      for (let index = 0; index < 8; index++) out[group * 8 + index] = step * (values[point * 8 + index] + delta);
    }
  },
});
