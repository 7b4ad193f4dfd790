// IQ1_S: super-blocks of 256 weights, d * (1 + 2 sc) * (value ± 1/8), values -1, 0 and 1; each 8 are a point of a grid of 2048,
// each 32 have a scale of three bits and a sign of the eighth. File block (50 bytes): d (f16), 32 low bytes of points, a u16 for
// each 32 weights: three high bits of each point, the scale in bits 12 to 14, in bit 15 whether the eighth comes off.
// Row group: low bytes of points [4 blocks of 32][row]; the u16 [super-block][row]; d as f32 [4 super-blocks][row].

import { f16ToF32 } from "../base/dtype.ts";
import { ceilDiv } from "../base/math.ts";
import grid from "../../shaders/parts/weight/grid.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq1_s.wgsl?raw";
import ternary from "../../shaders/parts/weight/ternary_grid.wgsl?raw";
import { eachSuper, superSize } from "./codebooks/blocks.ts";
import { iq1sGrid } from "./codebooks/iq1s.ts";
import type { WeightFormat } from "./format.ts";
import { blocksOf, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { sampleBlocks } from "./sample.ts";

const bytesPerBlock = 50;
const pointsAt = 2;
const highAt = 34;

/** Where the planes begin, in units. */
function planes(cols: number): { readonly high: number; readonly supers: number; readonly units: number } {
  const count = cols / superSize;
  const high = planeUnits(blocksOf(cols) / 4);
  const supers = high + planeUnits(count);
  return { high, supers, units: supers + planeUnits(ceilDiv(count, 4)) };
}

function rowGroupBytes(cols: number): number {
  return planes(cols).units * unitBytes;
}

export const iq1_s: WeightFormat = {
  name: "iq1_s",
  ggufType: 19,
  blockSize: superSize,
  bytesPerBlock,
  part: `${wgsl}\n${ternary}\n${grid}`,
  packed: true,
  halves: [0],
  get codebook() {
    return iq1sGrid().codebook;
  },
  rowGroupBytes,
  constants: (cols) => {
    const { high, supers, units } = planes(cols);
    return { IQ1_S_START: iq1sGrid().codebook.length / unitBytes, IQ1_S_GROUP: units, IQ1_S_HIGH: high, IQ1_S_SUPERS: supers };
  },

  repack(source, span, out) {
    const groupBytes = rowGroupBytes(span.cols);
    const sourceBytes = (span.rows * span.cols * bytesPerBlock) / superSize;
    const { source: from, words } = repackViews(source, sourceBytes, out, groupsOf(span.rows) * groupBytes);
    const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
    const { high, supers } = planes(span.cols);
    eachSuper(span, { bytesPerBlock, groupBytes }, (file, index, at) => {
      floats[at + supers * 4 + (index >> 2) * unitStride + (index & 3)] = f16ToF32(from.getUint16(file, true));
      for (let word = 0; word < 4; word++) {
        words[at + high * 4 + index * unitStride + word] = from.getUint32(file + highAt + word * 4, true);
      }
      for (let part = 0; part < 8; part++) {
        words[at + (index * 2 + (part >> 2)) * unitStride + (part & 3)] = from.getUint32(file + pointsAt + part * 4, true);
      }
    });
  },

  dequantize(source, out) {
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    const { values } = iq1sGrid();
    for (let block = 0; block < out.length / 32; block++) {
      const file = (block >> 3) * bytesPerBlock;
      const field = view.getUint16(file + highAt + (block & 7) * 2, true);
      const step = f16ToF32(view.getUint16(file, true)) * (1 + 2 * ((field >> 12) & 7));
      const delta = field < 0x8000 ? 0.125 : -0.125;
      for (let index = 0; index < 32; index++) {
        const point = source[file + pointsAt + (block & 7) * 4 + (index >> 3)] | (((field >> (3 * (index >> 3))) & 7) << 8);
        out[block * 32 + index] = step * (values[point * 8 + (index & 7)] + delta);
      }
    }
  },

  sample: (rng, blocks) => sampleBlocks(rng, blocks, { bytesPerBlock, sizes: { 0: 0.02 } }),
};
