// Q3_K: super-blocks of 256 three-bit codes; each 16 have a six-bit scale, w = (d * (sc - 32)) * (q - 4).
// File block (110 bytes): 32 bytes of third bits (bit i of byte j is of weight 32i + j), 64 bytes of the lower two (bits 2i of byte
// 32h + j are of weight 128h + 32i + j), 12 bytes of scales, d (f16). Of scale j the low nibble is in byte j & 7 (nibble j >> 3),
// the other two bits are in byte 8 + (j & 3), from bit 2 * (j >> 2) on.
// Row group: pairs of bits [2 blocks of 32][row], then third bits [4 blocks][row], both in the order of bit_planes.ts; then sc - 32
// as signed bytes [super-block][row]; then d [8 super-blocks][row].

import { f16ToF32 } from "../base/dtype.ts";
import planes from "../../shaders/parts/weight/planes.wgsl?raw";
import wgsl from "../../shaders/parts/weight/q3_k.wgsl?raw";
import { bitWord, pairWord } from "./bit_planes.ts";
import { blockFormat, putHalf, putWord } from "./block_format.ts";
import type { WeightFormat } from "./format.ts";
import { unitStride } from "./row_groups.ts";

const pairsAt = 32;
const scalesAt = 96;
const dAt = 108;

/** Scale `index` of the super-block at `file`, from -32 to 31. */
function scaleOf(from: DataView, file: number, index: number): number {
  const low = (from.getUint8(file + scalesAt + (index & 7)) >> (4 * (index >> 3))) & 15;
  const high = (from.getUint8(file + scalesAt + 8 + (index & 3)) >> (2 * (index >> 2))) & 3;
  return (low | (high << 4)) - 32;
}

export const q3_k: WeightFormat = blockFormat({
  name: "q3_k",
  ggufType: 11,
  blockSize: 256,
  bytesPerBlock: 110,
  part: `${wgsl}\n${planes}`,
  codeBits: 3,
  planes: { codes: 64, bits: 128, scales: 256, supers: 2048 },
  sizes: { [dAt]: 0.003 },

  pack({ from, words, at }, file, block) {
    putHalf(words, at.supers, block, from.getUint16(file + dAt, true));
    const scales = at.scales + block * unitStride;
    for (let index = 0; index < 16; index++) words[scales + (index >> 2)] |= (scaleOf(from, file, index) & 255) << (8 * (index & 3));
    for (let part = 0; part < 8; part++) putWord(words, at.bits, block * 8 + part, bitWord(from, file, part));
    for (let word = 0; word < 16; word++) {
      const bytes = file + pairsAt + (word >> 3) * 32 + (word & 1) * 16;
      putWord(words, at.codes, block * 16 + word, pairWord(from, bytes, word & 6));
    }
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file + dAt, true));
    for (let part = 0; part < 16; part++) {
      const step = Math.fround(d * scaleOf(from, file, part));
      for (let index = 0; index < 16; index++) {
        const byte = (part & 1) * 16 + index;
        const low = (from.getUint8(file + pairsAt + (part >> 3) * 32 + byte) >> (part & 6)) & 3;
        const high = (from.getUint8(file + byte) >> (part >> 1)) & 1;
        out[part * 16 + index] = step * ((low | (high << 2)) - 4);
      }
    }
  },
});
