// Q5_0: blocks of 32 five-bit codes with one f16 scale, w = d * (q - 16). File block (22 bytes): d, a u32 with the fifth bits
// (bit j of weight j), 16 bytes of nibbles; byte j holds weight j in its low and weight j + 16 in its high nibble.
// Row group: nibbles [block][row] in the order of nibbles.ts; then fifth bits [4 blocks][row] in the order of bit_planes.ts; then
// scales [8 blocks][row].

import { f16ToF32 } from "../base/dtype.ts";
import planes from "../../shaders/parts/weight/planes.wgsl?raw";
import wgsl from "../../shaders/parts/weight/q5_0.wgsl?raw";
import { spreadBits } from "./bit_planes.ts";
import { blockFormat, putHalf, putWord } from "./block_format.ts";
import { readFives, writeFives } from "./fives.ts";
import type { WeightFormat } from "./format.ts";
import { putHalves } from "./nibbles.ts";
import { unitStride } from "./row_groups.ts";
import { codeFor, farthest, storeHalf } from "./scaling.ts";

const bitsAt = 2;
const codesAt = 6;

export const q5_0: WeightFormat = blockFormat({
  name: "q5_0",
  ggufType: 6,
  blockSize: 32,
  bytesPerBlock: 22,
  part: `${wgsl}\n${planes}`,
  planes: { codes: 32, bits: 128, scales: 256 },
  sizes: { 0: 0.01 },

  pack({ from, words, at }, file, block) {
    putHalves(from, file + codesAt, words, at.codes + block * unitStride);
    putWord(words, at.bits, block, spreadBits(from.getUint32(file + bitsAt, true)));
    putHalf(words, at.scales, block, from.getUint16(file, true));
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file, true));
    readFives(from, file + bitsAt, out);
    for (let index = 0; index < 32; index++) out[index] = d * (out[index] - 16);
  },

  encode(values, to, file) {
    // The weight farthest from zero is exactly code 0.
    const step = storeHalf(to, file, farthest(values) / -16);
    const start = -16 * step;
    writeFives(
      to,
      file + bitsAt,
      Array.from(values, (value) => codeFor(value, { step, start, most: 31 })),
    );
  },
});
