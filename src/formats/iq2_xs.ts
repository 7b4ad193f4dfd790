// IQ2_XS: super-blocks of 256 weights, d * (0.5 + sc) / 4 * ±value; each 8 are a point of a grid of 512 and have seven bits of
// signs, each 16 a scale of four bits. File block (74 bytes): d (f16), a u16 for each 8 weights (point in bits 0 to 8, signs
// above), 8 bytes of scales, the first 16 of 32 weights in the low nibble.
// Row group: for [2 blocks of 32][row] each block's low bytes of points and its signs, a word each in the order of
// codebooks/signs.ts; then one unit for each [super-block][row]: the points' ninth bits, a nibble a block; the scales; d as f32.

import { f16ToF32 } from "../base/dtype.ts";
import shared from "../../shaders/parts/weight/grid.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq2_xs.wgsl?raw";
import { blockFormat, putFloat, putWord } from "./block_format.ts";
import { writeBlock } from "./codebooks/blocks.ts";
import { iq2xsGrid } from "./codebooks/iq2xs.ts";
import { evenSigns, signWord } from "./codebooks/signs.ts";
import type { WeightFormat } from "./format.ts";

const codesAt = 2;
const scalesAt = 66;

/** 28 sign bits of a block from its four codes. */
function signBits(from: DataView, codes: number): number {
  let bits = 0;
  for (let group = 0; group < 4; group++) bits |= (from.getUint16(codes + group * 2, true) >> 9) << (7 * group);
  return bits;
}

export const iq2_xs: WeightFormat = blockFormat({
  name: "iq2_xs",
  ggufType: 17,
  blockSize: 256,
  bytesPerBlock: 74,
  part: `${wgsl}\n${shared}`,
  codebook: () => iq2xsGrid().codebook,
  planes: { codes: 64, supers: 256 },
  sizes: { 0: 0.004 },

  pack({ from, words, floats, at }, file, block) {
    let ninths = 0;
    for (let part = 0; part < 8; part++) {
      const codes = file + codesAt + part * 8;
      let points = 0;
      for (let group = 0; group < 4; group++) {
        const code = from.getUint16(codes + group * 2, true);
        points |= (code & 255) << (8 * group);
        ninths |= ((code >> 8) & 1) << (4 * part + group);
      }
      putWord(words, at.codes, block * 16 + part * 2, points);
      putWord(words, at.codes, block * 16 + part * 2 + 1, signWord(evenSigns(signBits(from, codes))));
    }
    putWord(words, at.supers, block * 4, ninths);
    putWord(words, at.supers, block * 4 + 1, from.getUint32(file + scalesAt, true));
    putWord(words, at.supers, block * 4 + 2, from.getUint32(file + scalesAt + 4, true));
    putFloat(floats, at.supers, block * 4 + 3, f16ToF32(from.getUint16(file, true)));
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file, true));
    for (let part = 0; part < 8; part++) {
      const codes = file + codesAt + part * 8;
      const points = Array.from({ length: 4 }, (_, group) => from.getUint16(codes + group * 2, true) & 511);
      const scales = from.getUint8(file + scalesAt + part);
      const steps = [d * (0.5 + (scales & 15)) * 0.25, d * (0.5 + (scales >> 4)) * 0.25] as const;
      writeBlock(iq2xsGrid(), { points, signs: evenSigns(signBits(from, codes)), steps }, out, part * 32);
    }
  },
});
