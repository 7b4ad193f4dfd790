// Q2_0: blocks of 64 two-bit codes with one f16 scale, w = d * (q - 1). File block (18 bytes): d, 16 bytes, bits 2j of weight j.
// Row group: codes [2 blocks of 32][row] in the order of bit_planes.ts; then d [8 blocks of 64][row].

import { f16ToF32 } from "../base/dtype.ts";
import planes from "../../shaders/parts/weight/planes.wgsl?raw";
import wgsl from "../../shaders/parts/weight/q2_0.wgsl?raw";
import { spreadPairs } from "./bit_planes.ts";
import { blockFormat, putHalf } from "./block_format.ts";
import type { WeightFormat } from "./format.ts";
import { unitStride } from "./row_groups.ts";

const codesAt = 2;

export const q2_0: WeightFormat = blockFormat({
  name: "q2_0",
  ggufType: 42,
  blockSize: 64,
  bytesPerBlock: 18,
  part: `${wgsl}\n${planes}`,
  codeBits: 2,
  planes: { codes: 64, scales: 512 },
  sizes: { 0: 0.1 },

  pack({ from, words, at }, file, block) {
    putHalf(words, at.scales, block, from.getUint16(file, true));
    const unit = at.codes + block * unitStride;
    for (let word = 0; word < 4; word++) words[unit + word] = spreadPairs(from.getUint32(file + codesAt + 4 * word, true));
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file, true));
    for (let index = 0; index < 64; index++) {
      out[index] = d * (((from.getUint8(file + codesAt + (index >> 2)) >> (2 * (index & 3))) & 3) - 1);
    }
  },
});
