// IQ2_S: super-blocks of 256 weights, d * (0.5 + sc) / 4 * ±value; each 8 are a point of a grid of 1024, each 16 have a scale of
// four bits. File block (82 bytes): d (f16), 32 low bytes of points, 32 bytes of signs, 8 bytes with two high bits of each point,
// 8 bytes of scales, the first 16 of 32 weights in the low nibble.
// Row group: for [2 blocks of 32][row] each block's low bytes of points and its signs, a word each in the order of
// codebooks/signs.ts; then one unit for each [super-block][row]: the high bits, the scales; then d as f32 [4 super-blocks][row].

import { f16ToF32 } from "../base/dtype.ts";
import shared from "../../shaders/parts/weight/grid.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq2_s.wgsl?raw";
import { blockFormat, putFloat, putWord } from "./block_format.ts";
import { writeBlock } from "./codebooks/blocks.ts";
import { iq2sGrid } from "./codebooks/iq2s.ts";
import { signWord } from "./codebooks/signs.ts";
import type { WeightFormat } from "./format.ts";

const pointsAt = 2;
const signsAt = 34;
const highAt = 66;
const scalesAt = 74;

export const iq2_s: WeightFormat = blockFormat({
  name: "iq2_s",
  ggufType: 22,
  blockSize: 256,
  bytesPerBlock: 82,
  part: `${wgsl}\n${shared}`,
  codebook: () => iq2sGrid().codebook,
  planes: { codes: 64, scales: 256, supers: 1024 },
  sizes: { 0: 0.004 },

  pack({ from, words, floats, at }, file, block) {
    putFloat(floats, at.supers, block, f16ToF32(from.getUint16(file, true)));
    // High bits and scales follow each other in the file as they do here.
    for (let word = 0; word < 4; word++) putWord(words, at.scales, block * 4 + word, from.getUint32(file + highAt + word * 4, true));
    for (let part = 0; part < 8; part++) {
      putWord(words, at.codes, block * 16 + part * 2, from.getUint32(file + pointsAt + part * 4, true));
      putWord(words, at.codes, block * 16 + part * 2 + 1, signWord(from.getUint32(file + signsAt + part * 4, true)));
    }
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file, true));
    for (let part = 0; part < 8; part++) {
      const low = file + pointsAt + part * 4;
      const high = from.getUint8(file + highAt + part);
      const points = Array.from({ length: 4 }, (_, group) => from.getUint8(low + group) | (((high >> (2 * group)) & 3) << 8));
      const scales = from.getUint8(file + scalesAt + part);
      const steps = [d * (0.5 + (scales & 15)) * 0.25, d * (0.5 + (scales >> 4)) * 0.25] as const;
      writeBlock(iq2sGrid(), { points, signs: from.getUint32(file + signsAt + part * 4, true), steps }, out, part * 32);
    }
  },
});
