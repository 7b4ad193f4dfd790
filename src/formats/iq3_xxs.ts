// IQ3_XXS: super-blocks of 256 weights, d * (0.5 + sc) / 2 * ±value; each 4 are a point of a grid of 256, each 32 have a scale of
// four bits, each 8 seven bits of signs. File block (98 bytes): d (f16), 64 bytes of points, then a u32 for each 32 weights:
// signs from bit 0 on, the scale in bits 28 to 31.
// Row group: points [2 blocks of 32][row]; signs [4 blocks][row], a word each in the order of codebooks/signs.ts; scales [4
// super-blocks][row], a word of eight nibbles each; d [8 super-blocks][row], eight f16 to a unit.

import { f16ToF32 } from "../base/dtype.ts";
import { ceilDiv } from "../base/math.ts";
import shared from "../../shaders/parts/weight/grid.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq3_xxs.wgsl?raw";
import { eachSuper, superSize, writeBlock } from "./codebooks/blocks.ts";
import { iq3xxsGrid } from "./codebooks/iq3xxs.ts";
import { evenSigns, signWord } from "./codebooks/signs.ts";
import type { WeightFormat } from "./format.ts";
import { blocksOf, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { sampleBlocks } from "./sample.ts";

const bytesPerBlock = 98;
const pointsAt = 2;
const signsAt = 66;

interface Planes {
  readonly signs: number;
  readonly scales: number;
  readonly supers: number;
  readonly units: number;
}

/** Where the planes begin, in units. */
function planes(cols: number): Planes {
  const count = cols / superSize;
  const signs = planeUnits(blocksOf(cols) / 2);
  const scales = signs + planeUnits(blocksOf(cols) / 4);
  const supers = scales + planeUnits(ceilDiv(count, 4));
  return { signs, scales, supers, units: supers + planeUnits(ceilDiv(count, 8)) };
}

function rowGroupBytes(cols: number): number {
  return planes(cols).units * unitBytes;
}

export const iq3_xxs: WeightFormat = {
  name: "iq3_xxs",
  ggufType: 18,
  blockSize: superSize,
  bytesPerBlock,
  part: `${wgsl}\n${shared}`,
  packed: true,
  halves: [0],
  get codebook() {
    return iq3xxsGrid().codebook;
  },
  rowGroupBytes,
  constants: (cols) => {
    const { signs, scales, supers, units } = planes(cols);
    return {
      IQ3_XXS_START: iq3xxsGrid().codebook.length / unitBytes,
      IQ3_XXS_GROUP: units,
      IQ3_XXS_SIGNS: signs,
      IQ3_XXS_SCALES: scales,
      IQ3_XXS_SUPERS: supers,
    };
  },

  repack(source, span, out) {
    const groupBytes = rowGroupBytes(span.cols);
    const sourceBytes = (span.rows * span.cols * bytesPerBlock) / superSize;
    const { source: from, words } = repackViews(source, sourceBytes, out, groupsOf(span.rows) * groupBytes);
    const { signs, scales, supers } = planes(span.cols);
    eachSuper(span, { bytesPerBlock, groupBytes }, (file, index, at) => {
      const d = from.getUint16(file, true) << (16 * (index & 1));
      words[at + supers * 4 + (index >> 3) * unitStride + ((index & 7) >> 1)] |= d;
      const scaleWord = at + scales * 4 + (index >> 2) * unitStride + (index & 3);
      for (let part = 0; part < 8; part++) {
        const unit = at + (index * 4 + (part >> 1)) * unitStride + (part & 1) * 2;
        words[unit] = from.getUint32(file + pointsAt + part * 8, true);
        words[unit + 1] = from.getUint32(file + pointsAt + part * 8 + 4, true);
        const bits = from.getUint32(file + signsAt + part * 4, true);
        words[at + signs * 4 + (index * 2 + (part >> 2)) * unitStride + (part & 3)] = signWord(evenSigns(bits));
        words[scaleWord] |= (bits >>> 28) << (4 * part);
      }
    });
  },

  dequantize(source, out) {
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    for (let block = 0; block < out.length / 32; block++) {
      const file = (block >> 3) * bytesPerBlock;
      const pointsOf = file + pointsAt + (block & 7) * 8;
      const bits = view.getUint32(file + signsAt + (block & 7) * 4, true);
      const step = f16ToF32(view.getUint16(file, true)) * (0.5 + (bits >>> 28)) * 0.5;
      const points = Array.from(source.subarray(pointsOf, pointsOf + 8));
      writeBlock(iq3xxsGrid(), { points, signs: evenSigns(bits), steps: [step, step] }, out, block * 32);
    }
  },

  sample: (rng, blocks) => sampleBlocks(rng, blocks, { bytesPerBlock, sizes: { 0: 0.002 } }),
};
