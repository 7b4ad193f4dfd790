// IQ3_S: super-blocks of 256 weights, d * (1 + 2 sc) * ±value; each 4 are a point of a grid of 512, each 32 have a scale of four
// bits. File block (110 bytes): d (f16), 64 bytes of points, 8 bytes with their ninth bits, 32 bytes of signs, 4 of scales.
// Row group: points [2 blocks of 32][row]; signs [4 blocks][row], a word each in the order of codebooks/signs.ts; then one unit
// for each [super-block][row]: the ninth bits, the scales, d as f32.

import { f16ToF32 } from "../base/dtype.ts";
import shared from "../../shaders/parts/weight/grid.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq3_s.wgsl?raw";
import { eachSuper, superSize, writeBlock } from "./codebooks/blocks.ts";
import { iq3sGrid } from "./codebooks/iq3s.ts";
import { signWord } from "./codebooks/signs.ts";
import type { WeightFormat } from "./format.ts";
import { blocksOf, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { sampleBlocks } from "./sample.ts";

const bytesPerBlock = 110;
const pointsAt = 2;
const highAt = 66;
const signsAt = 74;
const scalesAt = 106;

/** Where the planes begin, in units. */
function planes(cols: number): { readonly signs: number; readonly supers: number; readonly units: number } {
  const signs = planeUnits(blocksOf(cols) / 2);
  const supers = signs + planeUnits(blocksOf(cols) / 4);
  return { signs, supers, units: supers + planeUnits(cols / superSize) };
}

function rowGroupBytes(cols: number): number {
  return planes(cols).units * unitBytes;
}

export const iq3_s: WeightFormat = {
  name: "iq3_s",
  ggufType: 21,
  blockSize: superSize,
  bytesPerBlock,
  part: `${wgsl}\n${shared}`,
  packed: true,
  halves: [0],
  get codebook() {
    return iq3sGrid().codebook;
  },
  rowGroupBytes,
  constants: (cols) => {
    const { signs, supers, units } = planes(cols);
    return { IQ3_S_START: iq3sGrid().codebook.length / unitBytes, IQ3_S_GROUP: units, IQ3_S_SIGNS: signs, IQ3_S_SUPERS: supers };
  },

  repack(source, span, out) {
    const groupBytes = rowGroupBytes(span.cols);
    const sourceBytes = (span.rows * span.cols * bytesPerBlock) / superSize;
    const { source: from, words } = repackViews(source, sourceBytes, out, groupsOf(span.rows) * groupBytes);
    const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
    const { signs, supers } = planes(span.cols);
    eachSuper(span, { bytesPerBlock, groupBytes }, (file, index, at) => {
      const unitOfSuper = at + supers * 4 + index * unitStride;
      words[unitOfSuper] = from.getUint32(file + highAt, true);
      words[unitOfSuper + 1] = from.getUint32(file + highAt + 4, true);
      words[unitOfSuper + 2] = from.getUint32(file + scalesAt, true);
      floats[unitOfSuper + 3] = f16ToF32(from.getUint16(file, true));
      for (let part = 0; part < 8; part++) {
        const unit = at + (index * 4 + (part >> 1)) * unitStride + (part & 1) * 2;
        words[unit] = from.getUint32(file + pointsAt + part * 8, true);
        words[unit + 1] = from.getUint32(file + pointsAt + part * 8 + 4, true);
        const signsOf = at + signs * 4 + (index * 2 + (part >> 2)) * unitStride + (part & 3);
        words[signsOf] = signWord(from.getUint32(file + signsAt + part * 4, true));
      }
    });
  },

  dequantize(source, out) {
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    for (let block = 0; block < out.length / 32; block++) {
      const file = (block >> 3) * bytesPerBlock;
      const part = block & 7;
      const high = source[file + highAt + part];
      const points = Array.from({ length: 8 }, (_, t) => source[file + pointsAt + part * 8 + t] | (((high >> t) & 1) << 8));
      const scale = (source[file + scalesAt + (part >> 1)] >> (4 * (part & 1))) & 15;
      const step = f16ToF32(view.getUint16(file, true)) * (1 + 2 * scale);
      const signs = view.getUint32(file + signsAt + part * 4, true);
      writeBlock(iq3sGrid(), { points, signs, steps: [step, step] }, out, block * 32);
    }
  },

  sample: (rng, blocks) => sampleBlocks(rng, blocks, { bytesPerBlock, sizes: { 0: 0.0015 } }),
};
