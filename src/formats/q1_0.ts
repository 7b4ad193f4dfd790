// Q1_0: blocks of 128 bits with one f16 scale, w = d where the bit is set and -d where not. File block (18 bytes): d, 16 bytes, bit j
// of weight j.
// Row group: bits [4 blocks of 32][row] in the order of bit_planes.ts; then d [8 blocks of 128][row].

import { f16ToF32 } from "../base/dtype.ts";
import planes from "../../shaders/parts/weight/planes.wgsl?raw";
import wgsl from "../../shaders/parts/weight/q1_0.wgsl?raw";
import { spreadBits } from "./bit_planes.ts";
import { blockFormat, putHalf } from "./block_format.ts";
import type { WeightFormat } from "./format.ts";
import { unitStride } from "./row_groups.ts";

const bitsAt = 2;

export const q1_0: WeightFormat = blockFormat({
  name: "q1_0",
  ggufType: 41,
  blockSize: 128,
  bytesPerBlock: 18,
  part: `${wgsl}\n${planes}`,
  codeBits: 1,
  planes: { bits: 128, scales: 1024 },
  sizes: { 0: 0.1 },

  pack({ from, words, at }, file, block) {
    putHalf(words, at.scales, block, from.getUint16(file, true));
    const unit = at.bits + block * unitStride;
    for (let word = 0; word < 4; word++) words[unit + word] = spreadBits(from.getUint32(file + bitsAt + 4 * word, true));
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file, true));
    for (let index = 0; index < 128; index++) {
      out[index] = ((from.getUint8(file + bitsAt + (index >> 3)) >> (index & 7)) & 1) === 1 ? d : -d;
    }
  },
});
