// IQ2_XXS: super-blocks of 256 weights, d * (0.5 + sc) / 4 * ±value; each 8 are a point of a grid of 256 and have seven bits of
// signs, each 32 a scale of four bits. File block (66 bytes): d (f16), then for each 32 weights four bytes of points and a u32:
// signs from bit 0 on, the scale in bits 28 to 31.
// Row group: for [2 blocks of 32][row] each block's points and its signs, a word each in the order of codebooks/signs.ts; scales
// [4 super-blocks][row], a word of eight nibbles each; d [8 super-blocks][row], eight f16 to a unit.

import { f16ToF32 } from "../base/dtype.ts";
import { ceilDiv } from "../base/math.ts";
import shared from "../../shaders/parts/weight/grid.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq2_xxs.wgsl?raw";
import { eachSuper, superSize, writeBlock } from "./codebooks/blocks.ts";
import { iq2xxsGrid } from "./codebooks/iq2xxs.ts";
import { evenSigns, signWord } from "./codebooks/signs.ts";
import type { WeightFormat } from "./format.ts";
import { blocksOf, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { sampleBlocks } from "./sample.ts";

const bytesPerBlock = 66;
const pointsAt = 2;

/** Where the planes begin, in units. */
function planes(cols: number): { readonly scales: number; readonly supers: number; readonly units: number } {
  const count = cols / superSize;
  const scales = planeUnits(blocksOf(cols) / 2);
  const supers = scales + planeUnits(ceilDiv(count, 4));
  return { scales, supers, units: supers + planeUnits(ceilDiv(count, 8)) };
}

function rowGroupBytes(cols: number): number {
  return planes(cols).units * unitBytes;
}

export const iq2_xxs: WeightFormat = {
  name: "iq2_xxs",
  ggufType: 16,
  blockSize: superSize,
  bytesPerBlock,
  part: `${wgsl}\n${shared}`,
  packed: true,
  halves: [0],
  get codebook() {
    return iq2xxsGrid().codebook;
  },
  rowGroupBytes,
  constants: (cols) => {
    const { scales, supers, units } = planes(cols);
    return {
      IQ2_XXS_START: iq2xxsGrid().codebook.length / unitBytes,
      IQ2_XXS_GROUP: units,
      IQ2_XXS_SCALES: scales,
      IQ2_XXS_SUPERS: supers,
    };
  },

  repack(source, span, out) {
    const groupBytes = rowGroupBytes(span.cols);
    const sourceBytes = (span.rows * span.cols * bytesPerBlock) / superSize;
    const { source: from, words } = repackViews(source, sourceBytes, out, groupsOf(span.rows) * groupBytes);
    const { scales, supers } = planes(span.cols);
    eachSuper(span, { bytesPerBlock, groupBytes }, (file, index, at) => {
      const d = from.getUint16(file, true) << (16 * (index & 1));
      words[at + supers * 4 + (index >> 3) * unitStride + ((index & 7) >> 1)] |= d;
      const scaleWord = at + scales * 4 + (index >> 2) * unitStride + (index & 3);
      for (let part = 0; part < 8; part++) {
        const unit = at + (index * 4 + (part >> 1)) * unitStride + (part & 1) * 2;
        const bits = from.getUint32(file + pointsAt + part * 8 + 4, true);
        words[unit] = from.getUint32(file + pointsAt + part * 8, true);
        words[unit + 1] = signWord(evenSigns(bits));
        words[scaleWord] |= (bits >>> 28) << (4 * part);
      }
    });
  },

  dequantize(source, out) {
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    for (let block = 0; block < out.length / 32; block++) {
      const file = (block >> 3) * bytesPerBlock;
      const pointsOf = file + pointsAt + (block & 7) * 8;
      const bits = view.getUint32(pointsOf + 4, true);
      const step = f16ToF32(view.getUint16(file, true)) * (0.5 + (bits >>> 28)) * 0.25;
      const points = Array.from(source.subarray(pointsOf, pointsOf + 4));
      writeBlock(iq2xxsGrid(), { points, signs: evenSigns(bits), steps: [step, step] }, out, block * 32);
    }
  },

  sample: (rng, blocks) => sampleBlocks(rng, blocks, { bytesPerBlock, sizes: { 0: 0.004 } }),
};
