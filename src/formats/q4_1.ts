// Q4_1: blocks of 32 four-bit codes with a scale and a minimum, w = d * q + m. File block (20 bytes): d, m (f16), 16 bytes; byte
// j holds weight j in its low and weight j + 16 in its high nibble.
// Row group: codes [block][row] in the order of nibbles.ts; then d, m as f16 pairs [4 blocks][row].

import { f16ToF32 } from "../base/dtype.ts";
import wgsl from "../../shaders/parts/weight/q4_1.wgsl?raw";
import { blockFormat, putWord } from "./block_format.ts";
import type { WeightFormat } from "./format.ts";
import { putHalves } from "./nibbles.ts";
import { unitStride } from "./row_groups.ts";
import { codeFor, rangeAroundZero, storeHalf } from "./scaling.ts";

const codesAt = 4;

export const q4_1: WeightFormat = blockFormat({
  name: "q4_1",
  ggufType: 3,
  blockSize: 32,
  bytesPerBlock: 20,
  part: wgsl,
  codeBits: 4,
  planes: { codes: 32, scales: 128 },
  sizes: { 0: 0.02, 2: 0.1 },

  pack({ from, words, at }, file, block) {
    putHalves(from, file + codesAt, words, at.codes + block * unitStride);
    putWord(words, at.scales, block, from.getUint32(file, true));
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file, true));
    const m = f16ToF32(from.getUint16(file + 2, true));
    for (let index = 0; index < 16; index++) {
      const byte = from.getUint8(file + codesAt + index);
      out[index] = Math.fround(d * (byte & 15)) + m;
      out[16 + index] = Math.fround(d * (byte >> 4)) + m;
    }
  },

  encode(values, to, file) {
    const [least, most] = rangeAroundZero(values);
    const step = storeHalf(to, file, (most - least) / 15);
    const start = storeHalf(to, file + 2, least);
    for (let index = 0; index < 16; index++) {
      const low = codeFor(values[index], { step, start, most: 15 });
      const high = codeFor(values[16 + index], { step, start, most: 15 });
      to.setUint8(file + codesAt + index, low | (high << 4));
    }
  },
});
