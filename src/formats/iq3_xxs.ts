// IQ3_XXS: super-blocks of 256 weights, d * (0.5 + sc) / 2 * ±value; each 4 are a point of a grid of 256, each 32 have a scale of
// four bits, each 8 seven bits of signs. File block (98 bytes): d (f16), 64 bytes of points, then a u32 for each 32 weights:
// signs from bit 0 on, the scale in bits 28 to 31.
// Row group: points [2 blocks of 32][row]; signs [4 blocks][row], a word each in the order of codebooks/signs.ts; scales [4
// super-blocks][row], a word of eight nibbles each; d [8 super-blocks][row], eight f16 to a unit.

import { f16ToF32 } from "../base/dtype.ts";
import shared from "../../shaders/parts/weight/grid.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq3_xxs.wgsl?raw";
import { blockFormat, putHalf, putWord } from "./block_format.ts";
import { writeBlock } from "./codebooks/blocks.ts";
import { iq3xxsGrid } from "./codebooks/iq3xxs.ts";
import { evenSigns, signWord } from "./codebooks/signs.ts";
import type { WeightFormat } from "./format.ts";
import { unitStride } from "./row_groups.ts";

const pointsAt = 2;
const signsAt = 66;

export const iq3_xxs: WeightFormat = blockFormat({
  name: "iq3_xxs",
  ggufType: 18,
  blockSize: 256,
  bytesPerBlock: 98,
  part: `${wgsl}\n${shared}`,
  codebook: () => iq3xxsGrid().codebook,
  planes: { points: 64, signs: 128, scales: 1024, supers: 2048 },
  sizes: { 0: 0.002 },

  pack({ from, words, at }, file, block) {
    putHalf(words, at.supers, block, from.getUint16(file, true));
    let scales = 0;
    for (let part = 0; part < 8; part++) {
      const unit = at.points + (block * 4 + (part >> 1)) * unitStride + (part & 1) * 2;
      words[unit] = from.getUint32(file + pointsAt + part * 8, true);
      words[unit + 1] = from.getUint32(file + pointsAt + part * 8 + 4, true);
      const bits = from.getUint32(file + signsAt + part * 4, true);
      putWord(words, at.signs, block * 8 + part, signWord(evenSigns(bits)));
      scales |= (bits >>> 28) << (4 * part);
    }
    putWord(words, at.scales, block, scales);
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file, true));
    for (let part = 0; part < 8; part++) {
      const bits = from.getUint32(file + signsAt + part * 4, true);
      const step = d * (0.5 + (bits >>> 28)) * 0.5;
      const points = Array.from({ length: 8 }, (_, four) => from.getUint8(file + pointsAt + part * 8 + four));
      writeBlock(iq3xxsGrid(), { points, signs: evenSigns(bits), steps: [step, step] }, out, part * 32);
    }
  },
});
