// IQ2_XXS: super-blocks of 256 weights, d * (0.5 + sc) / 4 * ±value; each 8 are a point of a grid of 256 and have seven bits of
// signs, each 32 a scale of four bits. File block (66 bytes): d (f16), then for each 32 weights four bytes of points and a u32:
// signs from bit 0 on, the scale in bits 28 to 31.
// Row group: for [2 blocks of 32][row] each block's points and its signs, a word each in the order of codebooks/signs.ts; scales
// [4 super-blocks][row], a word of eight nibbles each; d [8 super-blocks][row], eight f16 to a unit.

import { f16ToF32 } from "../base/dtype.ts";
import shared from "../../shaders/parts/weight/grid.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq2_xxs.wgsl?raw";
import { blockFormat, putHalf, putWord } from "./block_format.ts";
import { writeBlock } from "./codebooks/blocks.ts";
import { iq2xxsGrid } from "./codebooks/iq2xxs.ts";
import { evenSigns, signWord } from "./codebooks/signs.ts";
import type { WeightFormat } from "./format.ts";

const pointsAt = 2;

export const iq2_xxs: WeightFormat = blockFormat({
  name: "iq2_xxs",
  ggufType: 16,
  blockSize: 256,
  bytesPerBlock: 66,
  part: `${wgsl}\n${shared}`,
  codebook: () => iq2xxsGrid().codebook,
  planes: { codes: 64, scales: 1024, supers: 2048 },
  sizes: { 0: 0.004 },

  pack({ from, words, at }, file, block) {
    putHalf(words, at.supers, block, from.getUint16(file, true));
    let scales = 0;
    for (let part = 0; part < 8; part++) {
      const bits = from.getUint32(file + pointsAt + part * 8 + 4, true);
      putWord(words, at.codes, block * 16 + part * 2, from.getUint32(file + pointsAt + part * 8, true));
      putWord(words, at.codes, block * 16 + part * 2 + 1, signWord(evenSigns(bits)));
      scales |= (bits >>> 28) << (4 * part);
    }
    putWord(words, at.scales, block, scales);
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file, true));
    for (let part = 0; part < 8; part++) {
      const codes = file + pointsAt + part * 8;
      const bits = from.getUint32(codes + 4, true);
      const step = d * (0.5 + (bits >>> 28)) * 0.25;
      const points = Array.from({ length: 4 }, (_, group) => from.getUint8(codes + group));
      writeBlock(iq2xxsGrid(), { points, signs: evenSigns(bits), steps: [step, step] }, out, part * 32);
    }
  },
});
