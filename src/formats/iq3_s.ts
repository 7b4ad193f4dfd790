// IQ3_S: super-blocks of 256 weights, d * (1 + 2 sc) * ±value; each 4 are a point of a grid of 512, each 32 have a scale of four
// bits. File block (110 bytes): d (f16), 64 bytes of points, 8 bytes with their ninth bits, 32 bytes of signs, 4 of scales.
// Row group: points [2 blocks of 32][row]; signs [4 blocks][row], a word each in the order of codebooks/signs.ts; then one unit
// for each [super-block][row]: the ninth bits, the scales, d as f32.

import { f16ToF32 } from "../base/dtype.ts";
import shared from "../../shaders/parts/weight/grid.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq3_s.wgsl?raw";
import { blockFormat, putFloat, putWord } from "./block_format.ts";
import { writeBlock } from "./codebooks/blocks.ts";
import { iq3sGrid } from "./codebooks/iq3s.ts";
import { signWord } from "./codebooks/signs.ts";
import type { WeightFormat } from "./format.ts";
import { unitStride } from "./row_groups.ts";

const pointsAt = 2;
const highAt = 66;
const signsAt = 74;
const scalesAt = 106;

export const iq3_s: WeightFormat = blockFormat({
  name: "iq3_s",
  ggufType: 21,
  blockSize: 256,
  bytesPerBlock: 110,
  part: `${wgsl}\n${shared}`,
  codebook: () => iq3sGrid().codebook,
  planes: { points: 64, signs: 128, supers: 256 },
  sizes: { 0: 0.0015 },

  pack({ from, words, floats, at }, file, block) {
    putWord(words, at.supers, block * 4, from.getUint32(file + highAt, true));
    putWord(words, at.supers, block * 4 + 1, from.getUint32(file + highAt + 4, true));
    putWord(words, at.supers, block * 4 + 2, from.getUint32(file + scalesAt, true));
    putFloat(floats, at.supers, block * 4 + 3, f16ToF32(from.getUint16(file, true)));
    for (let part = 0; part < 8; part++) {
      const unit = at.points + (block * 4 + (part >> 1)) * unitStride + (part & 1) * 2;
      words[unit] = from.getUint32(file + pointsAt + part * 8, true);
      words[unit + 1] = from.getUint32(file + pointsAt + part * 8 + 4, true);
      putWord(words, at.signs, block * 8 + part, signWord(from.getUint32(file + signsAt + part * 4, true)));
    }
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file, true));
    for (let part = 0; part < 8; part++) {
      const low = file + pointsAt + part * 8;
      const high = from.getUint8(file + highAt + part);
      const points = Array.from({ length: 8 }, (_, four) => from.getUint8(low + four) | (((high >> four) & 1) << 8));
      const step = d * (1 + 2 * ((from.getUint8(file + scalesAt + (part >> 1)) >> (4 * (part & 1))) & 15));
      writeBlock(iq3sGrid(), { points, signs: from.getUint32(file + signsAt + part * 4, true), steps: [step, step] }, out, part * 32);
    }
  },
});
