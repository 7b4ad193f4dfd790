// Q5_K: super-blocks of 256 five-bit codes; each 32 have a 6-bit scale and minimum, w = (d * sc) * q - (dmin * m).
// File block (176 bytes): d, dmin (f16), 12 bytes of packed sc and m (k_scales.ts), 32 bytes of fifth bits (bit i of byte j is of
// weight 32i + j), 128 bytes of nibbles (byte 32i + j holds weight 64i + j in its low and 64i + 32 + j in its high nibble).
// Row group: nibbles [block of 32][row] in the order of nibbles.ts; then fifth bits [4 blocks][row] in the order of
// bit_planes.ts; then sc[8], m[8] as bytes [super-block][row]; then d, dmin as f16 pairs [4 super-blocks][row].

import { f16ToF32 } from "../base/dtype.ts";
import planes from "../../shaders/parts/weight/planes.wgsl?raw";
import wgsl from "../../shaders/parts/weight/q5_k.wgsl?raw";
import { bitWord } from "./bit_planes.ts";
import { blockFormat, putWord } from "./block_format.ts";
import type { WeightFormat } from "./format.ts";
import { scaleWord, sixBits, writeKScales } from "./k_scales.ts";
import { joinHigh, joinLow } from "./nibbles.ts";
import { unitStride } from "./row_groups.ts";
import { codeFor } from "./scaling.ts";

const bitsAt = 16;
const codesAt = 48;

export const q5_k: WeightFormat = blockFormat({
  name: "q5_k",
  ggufType: 13,
  blockSize: 256,
  bytesPerBlock: 176,
  part: `${wgsl}\n${planes}`,
  planes: { codes: 32, bits: 128, scales: 256, supers: 1024 },
  sizes: { 0: 0.0003, 2: 0.003 },

  pack({ from, words, at }, file, block) {
    putWord(words, at.supers, block, from.getUint32(file, true));
    for (let i = 0; i < 4; i++) words[at.scales + block * unitStride + i] = scaleWord(from, file, i);
    for (let part = 0; part < 8; part++) putWord(words, at.bits, block * 8 + part, bitWord(from, file + bitsAt, part));
    for (let word = 0; word < 16; word++) {
      const first = from.getUint32(file + codesAt + word * 8, true);
      const second = from.getUint32(file + codesAt + word * 8 + 4, true);
      const unit = at.codes + (block * 8 + (word >> 2) * 2) * unitStride + (word & 3);
      words[unit] = joinLow(first, second);
      words[unit + unitStride] = joinHigh(first, second);
    }
  },

  decode(from, file, out) {
    for (let part = 0; part < 8; part++) {
      const step = Math.fround(f16ToF32(from.getUint16(file, true)) * sixBits(from, file, part));
      const floor = Math.fround(f16ToF32(from.getUint16(file + 2, true)) * sixBits(from, file, 8 + part));
      for (let index = 0; index < 32; index++) {
        const low = (from.getUint8(file + codesAt + (part >> 1) * 32 + index) >> (4 * (part & 1))) & 15;
        const high = (from.getUint8(file + bitsAt + index) >> part) & 1;
        out[part * 32 + index] = Math.fround(step * (low | (high << 4))) - floor;
      }
    }
  },

  encode(values, to, file) {
    const { steps, floors } = writeKScales(values, { to, file, most: 31 });
    for (const [index, value] of values.entries()) {
      const part = index >> 5;
      const code = codeFor(value, { step: steps[part], start: -floors[part], most: 31 });
      const low = file + codesAt + (part >> 1) * 32 + (index & 31);
      const high = file + bitsAt + (index & 31);
      to.setUint8(low, to.getUint8(low) | ((code & 15) << (4 * (part & 1))));
      to.setUint8(high, to.getUint8(high) | ((code >> 4) << part));
    }
  },
});
