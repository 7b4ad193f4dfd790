// IQ2_S: super-blocks of 256 weights, d * (0.5 + sc) / 4 * ±value; each 8 are a point of a grid of 1024, each 16 have a scale of
// four bits. File block (82 bytes): d (f16), 32 low bytes of points, 32 bytes of signs, 8 bytes with two high bits of each point,
// 8 bytes of scales, the first 16 of 32 weights in the low nibble.
// Row group: for [2 blocks of 32][row] each block's low bytes of points and its signs, a word each in the order of
// codebooks/signs.ts; then one unit for each [super-block][row]: the high bits, the scales; then d as f32 [4 super-blocks][row].

import { f16ToF32 } from "../base/dtype.ts";
import { ceilDiv } from "../base/math.ts";
import shared from "../../shaders/parts/weight/grid.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq2_s.wgsl?raw";
import { eachSuper, superSize, writeBlock } from "./codebooks/blocks.ts";
import { iq2sGrid } from "./codebooks/iq2s.ts";
import { signWord } from "./codebooks/signs.ts";
import type { WeightFormat } from "./format.ts";
import { blocksOf, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { sampleBlocks } from "./sample.ts";

const bytesPerBlock = 82;
const pointsAt = 2;
const signsAt = 34;
const highAt = 66;
const scalesAt = 74;

/** Where the planes begin, in units. */
function planes(cols: number): { readonly scales: number; readonly supers: number; readonly units: number } {
  const count = cols / superSize;
  const scales = planeUnits(blocksOf(cols) / 2);
  const supers = scales + planeUnits(count);
  return { scales, supers, units: supers + planeUnits(ceilDiv(count, 4)) };
}

function rowGroupBytes(cols: number): number {
  return planes(cols).units * unitBytes;
}

export const iq2_s: WeightFormat = {
  name: "iq2_s",
  ggufType: 22,
  blockSize: superSize,
  bytesPerBlock,
  part: `${wgsl}\n${shared}`,
  packed: true,
  halves: [0],
  get codebook() {
    return iq2sGrid().codebook;
  },
  rowGroupBytes,
  constants: (cols) => {
    const { scales, supers, units } = planes(cols);
    return { IQ2_S_START: iq2sGrid().codebook.length / unitBytes, IQ2_S_GROUP: units, IQ2_S_SCALES: scales, IQ2_S_SUPERS: supers };
  },

  repack(source, span, out) {
    const groupBytes = rowGroupBytes(span.cols);
    const sourceBytes = (span.rows * span.cols * bytesPerBlock) / superSize;
    const { source: from, words } = repackViews(source, sourceBytes, out, groupsOf(span.rows) * groupBytes);
    const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
    const { scales, supers } = planes(span.cols);
    eachSuper(span, { bytesPerBlock, groupBytes }, (file, index, at) => {
      floats[at + supers * 4 + (index >> 2) * unitStride + (index & 3)] = f16ToF32(from.getUint16(file, true));
      const fields = at + scales * 4 + index * unitStride;
      // High bits and scales follow each other in the file as they do here.
      for (let word = 0; word < 4; word++) words[fields + word] = from.getUint32(file + highAt + word * 4, true);
      for (let part = 0; part < 8; part++) {
        const unit = at + (index * 4 + (part >> 1)) * unitStride + (part & 1) * 2;
        words[unit] = from.getUint32(file + pointsAt + part * 4, true);
        words[unit + 1] = signWord(from.getUint32(file + signsAt + part * 4, true));
      }
    });
  },

  dequantize(source, out) {
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    for (let block = 0; block < out.length / 32; block++) {
      const file = (block >> 3) * bytesPerBlock;
      const part = block & 7;
      const high = source[file + highAt + part];
      const points = Array.from(
        { length: 4 },
        (_, group) => source[file + pointsAt + part * 4 + group] | (((high >> (2 * group)) & 3) << 8),
      );
      const scales = source[file + scalesAt + part];
      const d = f16ToF32(view.getUint16(file, true));
      const steps = [d * (0.5 + (scales & 15)) * 0.25, d * (0.5 + (scales >> 4)) * 0.25] as const;
      writeBlock(iq2sGrid(), { points, signs: view.getUint32(file + signsAt + part * 4, true), steps }, out, block * 32);
    }
  },

  sample: (rng, blocks) => sampleBlocks(rng, blocks, { bytesPerBlock, sizes: { 0: 0.004 } }),
};
