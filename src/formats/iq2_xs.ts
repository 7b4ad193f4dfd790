// IQ2_XS: super-blocks of 256 weights, d * (0.5 + sc) / 4 * ±value; each 8 are a point of a grid of 512 and have seven bits of
// signs, each 16 a scale of four bits. File block (74 bytes): d (f16), a u16 for each 8 weights (point in bits 0 to 8, signs
// above), 8 bytes of scales, the first 16 of 32 weights in the low nibble.
// Row group: for [2 blocks of 32][row] each block's low bytes of points and its signs, a word each in the order of
// codebooks/signs.ts; then one unit for each [super-block][row]: the points' ninth bits, a nibble a block; the scales; d as f32.

import { f16ToF32 } from "../base/dtype.ts";
import shared from "../../shaders/parts/weight/grid.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq2_xs.wgsl?raw";
import { eachSuper, superSize, writeBlock } from "./codebooks/blocks.ts";
import { iq2xsGrid } from "./codebooks/iq2xs.ts";
import { evenSigns, signWord } from "./codebooks/signs.ts";
import type { WeightFormat } from "./format.ts";
import { blocksOf, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { sampleBlocks } from "./sample.ts";

const bytesPerBlock = 74;
const codesAt = 2;
const scalesAt = 66;

/** Where the plane of super-blocks begins, in units. */
function supersAt(cols: number): number {
  return planeUnits(blocksOf(cols) / 2);
}

function rowGroupBytes(cols: number): number {
  return (supersAt(cols) + planeUnits(cols / superSize)) * unitBytes;
}

/** 28 sign bits of a block from its four codes. */
function signBits(view: DataView, codes: number): number {
  let bits = 0;
  for (let group = 0; group < 4; group++) bits |= (view.getUint16(codes + group * 2, true) >> 9) << (7 * group);
  return bits;
}

export const iq2_xs: WeightFormat = {
  name: "iq2_xs",
  ggufType: 17,
  blockSize: superSize,
  bytesPerBlock,
  part: `${wgsl}\n${shared}`,
  packed: true,
  halves: [0],
  get codebook() {
    return iq2xsGrid().codebook;
  },
  rowGroupBytes,
  constants: (cols) => ({
    IQ2_XS_START: iq2xsGrid().codebook.length / unitBytes,
    IQ2_XS_GROUP: rowGroupBytes(cols) / unitBytes,
    IQ2_XS_SUPERS: supersAt(cols),
  }),

  repack(source, span, out) {
    const groupBytes = rowGroupBytes(span.cols);
    const sourceBytes = (span.rows * span.cols * bytesPerBlock) / superSize;
    const { source: from, words } = repackViews(source, sourceBytes, out, groupsOf(span.rows) * groupBytes);
    const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
    const supers = supersAt(span.cols) * 4;
    eachSuper(span, { bytesPerBlock, groupBytes }, (file, index, at) => {
      const unitOfSuper = at + supers + index * unitStride;
      words[unitOfSuper + 1] = from.getUint32(file + scalesAt, true);
      words[unitOfSuper + 2] = from.getUint32(file + scalesAt + 4, true);
      floats[unitOfSuper + 3] = f16ToF32(from.getUint16(file, true));
      for (let part = 0; part < 8; part++) {
        const unit = at + (index * 4 + (part >> 1)) * unitStride + (part & 1) * 2;
        const codes = file + codesAt + part * 8;
        for (let group = 0; group < 4; group++) {
          const code = from.getUint16(codes + group * 2, true);
          words[unit] |= (code & 255) << (8 * group);
          words[unitOfSuper] |= ((code >> 8) & 1) << (4 * part + group);
        }
        words[unit + 1] = signWord(evenSigns(signBits(from, codes)));
      }
    });
  },

  dequantize(source, out) {
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    for (let block = 0; block < out.length / 32; block++) {
      const file = (block >> 3) * bytesPerBlock;
      const codes = file + codesAt + (block & 7) * 8;
      const points = Array.from({ length: 4 }, (_, group) => view.getUint16(codes + group * 2, true) & 511);
      const scales = source[file + scalesAt + (block & 7)];
      const d = f16ToF32(view.getUint16(file, true));
      const steps = [d * (0.5 + (scales & 15)) * 0.25, d * (0.5 + (scales >> 4)) * 0.25] as const;
      writeBlock(iq2xsGrid(), { points, signs: evenSigns(signBits(view, codes)), steps }, out, block * 32);
    }
  },

  sample: (rng, blocks) => sampleBlocks(rng, blocks, { bytesPerBlock, sizes: { 0: 0.004 } }),
};
