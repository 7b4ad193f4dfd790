// IQ1_M: super-blocks of 256 weights, d * (1 + 2 sc) * (value ± 1/8), values -1, 0 and 1; each 8 are a point of the grid of IQ1_S
// and have a sign of the eighth, each 16 a scale of three bits. File block (56 bytes): 32 low bytes of points; 16 bytes, a nibble
// for each 8 weights: three high bits of the point, and whether the eighth comes off; four u16, each with four scales from bit 0
// on and in bits 12 to 15 a quarter of d (f16), the lowest first.
// Row group: low bytes of points [4 blocks of 32][row]; the nibbles [super-block][row]; for [2 super-blocks][row] two words, each
// with the scales of four blocks in bits 0 to 23 and half of d above.

import { f16ToF32 } from "../base/dtype.ts";
import { ceilDiv } from "../base/math.ts";
import grid from "../../shaders/parts/weight/grid.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq1_m.wgsl?raw";
import ternary from "../../shaders/parts/weight/ternary_grid.wgsl?raw";
import { eachSuper, superSize } from "./codebooks/blocks.ts";
import { iq1sGrid } from "./codebooks/iq1s.ts";
import type { WeightFormat } from "./format.ts";
import { blocksOf, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { randomBlocks, randomHalf } from "./sample.ts";

const bytesPerBlock = 56;
const highAt = 32;
const scalesAt = 48;

/** Where the planes begin, in units. */
function planes(cols: number): { readonly high: number; readonly scales: number; readonly units: number } {
  const count = cols / superSize;
  const high = planeUnits(blocksOf(cols) / 4);
  const scales = high + planeUnits(count);
  return { high, scales, units: scales + planeUnits(ceilDiv(count, 2)) };
}

function rowGroupBytes(cols: number): number {
  return planes(cols).units * unitBytes;
}

/** f16 bits of d. */
function superScale(view: DataView, file: number): number {
  let bits = 0;
  for (let part = 0; part < 4; part++) bits |= (view.getUint16(file + scalesAt + part * 2, true) >> 12) << (4 * part);
  return bits;
}

/** Twelve bits: the scales of two blocks of 32. */
function scaleBits(view: DataView, file: number, pair: number): number {
  return view.getUint16(file + scalesAt + pair * 2, true) & 0xfff;
}

export const iq1_m: WeightFormat = {
  name: "iq1_m",
  ggufType: 29,
  blockSize: superSize,
  bytesPerBlock,
  part: `${wgsl}\n${ternary}\n${grid}`,
  packed: true,
  halves: [],
  badScale(source) {
    for (let file = 0; file < source.length; file += bytesPerBlock) {
      // The exponent of d: the top nibble of the last u16 after its sign, and two bits of the one before.
      if ((source[file + 55] & 0x70) === 0x70 && (source[file + 53] & 0xc0) === 0xc0) return file / bytesPerBlock;
    }
    return -1;
  },
  get codebook() {
    return iq1sGrid().codebook;
  },
  rowGroupBytes,
  constants: (cols) => {
    const { high, scales, units } = planes(cols);
    return { IQ1_M_START: iq1sGrid().codebook.length / unitBytes, IQ1_M_GROUP: units, IQ1_M_HIGH: high, IQ1_M_SCALES: scales };
  },

  repack(source, span, out) {
    const groupBytes = rowGroupBytes(span.cols);
    const sourceBytes = (span.rows * span.cols * bytesPerBlock) / superSize;
    const { source: from, words } = repackViews(source, sourceBytes, out, groupsOf(span.rows) * groupBytes);
    const { high, scales } = planes(span.cols);
    eachSuper(span, { bytesPerBlock, groupBytes }, (file, index, at) => {
      const d = superScale(from, file);
      const scaleWords = at + scales * 4 + (index >> 1) * unitStride + (index & 1) * 2;
      for (let word = 0; word < 2; word++) {
        const four = scaleBits(from, file, word * 2) | (scaleBits(from, file, word * 2 + 1) << 12);
        words[scaleWords + word] = four | (((d >> (8 * word)) & 255) << 24);
      }
      for (let word = 0; word < 4; word++) {
        words[at + high * 4 + index * unitStride + word] = from.getUint32(file + highAt + word * 4, true);
      }
      for (let part = 0; part < 8; part++) {
        words[at + (index * 2 + (part >> 2)) * unitStride + (part & 3)] = from.getUint32(file + part * 4, true);
      }
    });
  },

  dequantize(source, out) {
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    const { values } = iq1sGrid();
    for (let group = 0; group < out.length / 8; group++) {
      const file = (group >> 5) * bytesPerBlock;
      const inSuper = group & 31;
      const scale = (scaleBits(view, file, inSuper >> 3) >> (3 * ((inSuper & 7) >> 1))) & 7;
      const step = f16ToF32(superScale(view, file)) * (1 + 2 * scale);
      const nibble = (source[file + highAt + (inSuper >> 1)] >> (4 * (inSuper & 1))) & 15;
      const point = source[file + inSuper] | ((nibble & 7) << 8);
      const delta = nibble < 8 ? 0.125 : -0.125;
      for (let index = 0; index < 8; index++) out[group * 8 + index] = step * (values[point * 8 + index] + delta);
    }
  },

  sample(rng, blocks) {
    const bytes = randomBlocks(rng, blocks, bytesPerBlock);
    for (let block = 0; block < blocks; block++) {
      const d = randomHalf(rng, 0.02);
      for (let part = 0; part < 4; part++) {
        const at = block * bytesPerBlock + scalesAt + part * 2 + 1;
        bytes[at] = (bytes[at] & 15) | (((d >> (4 * part)) & 15) << 4);
      }
    }
    return bytes;
  },
};
