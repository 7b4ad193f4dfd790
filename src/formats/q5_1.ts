// Q5_1: blocks of 32 five-bit codes with a scale and a minimum, w = d * q + m. File block (24 bytes): d, m (f16), a u32 with the
// fifth bits (bit j of weight j), 16 bytes of nibbles; byte j holds weight j in its low and weight j + 16 in its high nibble.
// Row group: nibbles [block][row] in the order of nibbles.ts; then fifth bits [4 blocks][row] in the order of bit_planes.ts; then
// d, m as f16 pairs [4 blocks][row].

import { f16ToF32 } from "../base/dtype.ts";
import planes from "../../shaders/parts/weight/planes.wgsl?raw";
import wgsl from "../../shaders/parts/weight/q5_1.wgsl?raw";
import { spreadBits } from "./bit_planes.ts";
import { blockFormat, putWord } from "./block_format.ts";
import { readFives, writeFives } from "./fives.ts";
import type { WeightFormat } from "./format.ts";
import { putHalves } from "./nibbles.ts";
import { unitStride } from "./row_groups.ts";
import { codeFor, rangeAroundZero, storeHalf } from "./scaling.ts";

const bitsAt = 4;
const codesAt = 8;

export const q5_1: WeightFormat = blockFormat({
  name: "q5_1",
  ggufType: 7,
  blockSize: 32,
  bytesPerBlock: 24,
  part: `${wgsl}\n${planes}`,
  planes: { codes: 32, bits: 128, scales: 128 },
  sizes: { 0: 0.01, 2: 0.1 },

  pack({ from, words, at }, file, block) {
    putHalves(from, file + codesAt, words, at.codes + block * unitStride);
    putWord(words, at.bits, block, spreadBits(from.getUint32(file + bitsAt, true)));
    putWord(words, at.scales, block, from.getUint32(file, true));
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file, true));
    const m = f16ToF32(from.getUint16(file + 2, true));
    readFives(from, file + bitsAt, out);
    for (let index = 0; index < 32; index++) out[index] = Math.fround(d * out[index]) + m;
  },

  encode(values, to, file) {
    const [least, most] = rangeAroundZero(values);
    const step = storeHalf(to, file, (most - least) / 31);
    const start = storeHalf(to, file + 2, least);
    writeFives(
      to,
      file + bitsAt,
      Array.from(values, (value) => codeFor(value, { step, start, most: 31 })),
    );
  },
});
