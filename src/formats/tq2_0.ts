// TQ2_0: blocks of 256 ternary weights as two-bit codes with one f16 scale, w = d * (q - 1). File block (66 bytes): 64 bytes of codes
// (bits 2i of byte 32h + j are of weight 128h + 32i + j), d.
// Row group: codes [2 blocks of 32][row] in the order of bit_planes.ts; then d [8 blocks of 256][row].

import { f16ToF32 } from "../base/dtype.ts";
import planes from "../../shaders/parts/weight/planes.wgsl?raw";
import wgsl from "../../shaders/parts/weight/tq2_0.wgsl?raw";
import { pairWord } from "./bit_planes.ts";
import { blockFormat, putHalf, putWord } from "./block_format.ts";
import type { WeightFormat } from "./format.ts";

const dAt = 64;

export const tq2_0: WeightFormat = blockFormat({
  name: "tq2_0",
  ggufType: 35,
  blockSize: 256,
  bytesPerBlock: 66,
  part: `${wgsl}\n${planes}`,
  codeBits: 2,
  planes: { codes: 64, scales: 2048 },
  sizes: { [dAt]: 0.1 },

  pack({ from, words, at }, file, block) {
    putHalf(words, at.scales, block, from.getUint16(file + dAt, true));
    for (let word = 0; word < 16; word++) {
      putWord(words, at.codes, block * 16 + word, pairWord(from, file + (word >> 3) * 32 + (word & 1) * 16, word & 6));
    }
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file + dAt, true));
    for (let index = 0; index < 256; index++) {
      const byte = from.getUint8(file + (index >> 7) * 32 + (index & 31));
      out[index] = d * (((byte >> (2 * ((index >> 5) & 3))) & 3) - 1);
    }
  },
});
