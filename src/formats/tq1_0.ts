// TQ1_0: blocks of 256 ternary weights, five to a byte, with one f16 scale, w = d * (q - 1). A byte is a fraction of 256 whose ternary
// digits are the codes, so that digit n is the whole part of 3 * (byte * 3^n mod 256) / 256.
// File block (54 bytes): 32 bytes (digit n of byte j is weight 32n + j), 16 bytes (weight 160 + 16n + j), 4 bytes of four digits
// (weight 240 + 4n + j), d.
// Row group: as that of TQ2_0, two bits a code: five digits to a byte would cost a multiplication a weight at each use.

import { f16ToF32 } from "../base/dtype.ts";
import planes from "../../shaders/parts/weight/planes.wgsl?raw";
import wgsl from "../../shaders/parts/weight/tq1_0.wgsl?raw";
import { blockFormat, putHalf, putWord } from "./block_format.ts";
import type { WeightFormat } from "./format.ts";

const dAt = 52;

/** Places in a block: bytes from `at` on, each with the weights `first + count * n + byte`, for `digits` digits n. */
const runs = [
  { at: 0, count: 32, first: 0, digits: 5 },
  { at: 32, count: 16, first: 160, digits: 5 },
  { at: 48, count: 4, first: 240, digits: 4 },
] as const;

/** The codes of the block at `file`, 0 to 2. */
function codesOf(from: DataView, file: number, codes: Uint8Array): Uint8Array {
  for (const { at, count, first, digits } of runs) {
    for (let index = 0; index < count; index++) {
      let rest = from.getUint8(file + at + index);
      for (let n = 0; n < digits; n++) {
        codes[first + count * n + index] = (rest * 3) >> 8;
        rest = (rest * 3) & 255;
      }
    }
  }
  return codes;
}

export const tq1_0: WeightFormat = blockFormat({
  name: "tq1_0",
  ggufType: 34,
  blockSize: 256,
  bytesPerBlock: 54,
  part: `${wgsl}\n${planes}`,
  codeBits: 2,
  planes: { codes: 64, scales: 2048 },
  sizes: { [dAt]: 0.1 },

  pack({ from, words, at }, file, block) {
    putHalf(words, at.scales, block, from.getUint16(file + dAt, true));
    const codes = codesOf(from, file, new Uint8Array(256));
    for (let word = 0; word < 16; word++) {
      let pairs = 0;
      for (let t = 0; t < 4; t++) {
        for (let i = 0; i < 4; i++) pairs |= codes[word * 16 + t * 4 + i] << (8 * i + 2 * t);
      }
      putWord(words, at.codes, block * 16 + word, pairs);
    }
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file + dAt, true));
    for (const [index, code] of codesOf(from, file, new Uint8Array(256)).entries()) out[index] = d * (code - 1);
  },
});
