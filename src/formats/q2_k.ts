// Q2_K: super-blocks of 256 two-bit codes; each 16 have a scale and a minimum of four bits, w = (d * sc) * q - (dmin * m).
// File block (84 bytes): 16 bytes with sc in the low and m in the high nibble, 64 bytes of codes (bits 2i of byte 32h + j are of
// weight 128h + 32i + j), d, dmin (f16).
// Row group: codes [2 blocks of 32][row] in the order of bit_planes.ts; then the bytes of sc and m [super-block][row]; then
// d, dmin as f16 pairs [4 super-blocks][row].

import { f16ToF32 } from "../base/dtype.ts";
import planes from "../../shaders/parts/weight/planes.wgsl?raw";
import wgsl from "../../shaders/parts/weight/q2_k.wgsl?raw";
import { pairWord } from "./bit_planes.ts";
import { blockFormat, putWord } from "./block_format.ts";
import type { WeightFormat } from "./format.ts";
import { unitStride } from "./row_groups.ts";

const codesAt = 16;
const dAt = 80;

export const q2_k: WeightFormat = blockFormat({
  name: "q2_k",
  ggufType: 10,
  blockSize: 256,
  bytesPerBlock: 84,
  part: `${wgsl}\n${planes}`,
  codeBits: 2,
  planes: { codes: 64, scales: 256, supers: 1024 },
  sizes: { [dAt]: 0.01, [dAt + 2]: 0.01 },

  pack({ from, words, at }, file, block) {
    putWord(words, at.supers, block, from.getUint32(file + dAt, true));
    for (let i = 0; i < 4; i++) words[at.scales + block * unitStride + i] = from.getUint32(file + 4 * i, true);
    for (let word = 0; word < 16; word++) {
      const bytes = file + codesAt + (word >> 3) * 32 + (word & 1) * 16;
      putWord(words, at.codes, block * 16 + word, pairWord(from, bytes, word & 6));
    }
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file + dAt, true));
    const dmin = f16ToF32(from.getUint16(file + dAt + 2, true));
    for (let part = 0; part < 16; part++) {
      const scales = from.getUint8(file + part);
      const step = Math.fround(d * (scales & 15));
      const floor = Math.fround(dmin * (scales >> 4));
      for (let index = 0; index < 16; index++) {
        const byte = from.getUint8(file + codesAt + (part >> 3) * 32 + (part & 1) * 16 + index);
        out[part * 16 + index] = Math.fround(step * ((byte >> (part & 6)) & 3)) - floor;
      }
    }
  },
});
