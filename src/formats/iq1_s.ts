// IQ1_S: super-blocks of 256 weights, d * (1 + 2 sc) * (value ± 1/8), values -1, 0 and 1; each 8 are a point of a grid of 2048,
// each 32 have a scale of three bits and a sign of the eighth. File block (50 bytes): d (f16), 32 low bytes of points, a u16 for
// each 32 weights: three high bits of each point, the scale in bits 12 to 14, in bit 15 whether the eighth comes off.
// Row group: low bytes of points [4 blocks of 32][row]; the u16 [super-block][row]; d as f32 [4 super-blocks][row].

import { f16ToF32 } from "../base/dtype.ts";
import grid from "../../shaders/parts/weight/grid.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq1_s.wgsl?raw";
import ternary from "../../shaders/parts/weight/ternary_grid.wgsl?raw";
import { blockFormat, putFloat, putWord } from "./block_format.ts";
import { iq1sGrid } from "./codebooks/iq1s.ts";
import type { WeightFormat } from "./format.ts";

const pointsAt = 2;
const highAt = 34;

export const iq1_s: WeightFormat = blockFormat({
  name: "iq1_s",
  ggufType: 19,
  blockSize: 256,
  bytesPerBlock: 50,
  part: `${wgsl}\n${ternary}\n${grid}`,
  codebook: () => iq1sGrid().codebook,
  planes: { points: 128, high: 256, supers: 1024 },
  sizes: { 0: 0.02 },

  pack({ from, words, floats, at }, file, block) {
    putFloat(floats, at.supers, block, f16ToF32(from.getUint16(file, true)));
    for (let word = 0; word < 4; word++) putWord(words, at.high, block * 4 + word, from.getUint32(file + highAt + word * 4, true));
    for (let part = 0; part < 8; part++) putWord(words, at.points, block * 8 + part, from.getUint32(file + pointsAt + part * 4, true));
  },

  decode(from, file, out) {
    const { values } = iq1sGrid();
    const d = f16ToF32(from.getUint16(file, true));
    for (let index = 0; index < 256; index++) {
      const group = index >> 3;
      const field = from.getUint16(file + highAt + (group >> 2) * 2, true);
      const step = d * (1 + 2 * ((field >> 12) & 7));
      const point = from.getUint8(file + pointsAt + group) | (((field >> (3 * (group & 3))) & 7) << 8);
      out[index] = step * (values[point * 8 + (index & 7)] + (field < 0x8000 ? 0.125 : -0.125));
    }
  },
});
