// NVFP4: blocks of 64 E2M1 numbers, each 16 with an unsigned E4M3 scale, w = scale / 2 * value[q], the values doubled to be
// integers. File block: four scales, 32 bytes (36 bytes in all); of the 8 bytes of a part of 16, byte j holds weight j in its
// low and weight j + 8 in its high nibble. The scale 0x7f, NaN, is
// zero, and bit 7 of others is not looked at: so in ggml.
// Row group: codes [block of 32][row] in the order of nibbles.ts, then scales [8 blocks][row], two bytes a block.

import { ceilDiv } from "../base/math.ts";
import shared from "../../shaders/parts/weight/fp4.wgsl?raw";
import wgsl from "../../shaders/parts/weight/nvfp4.wgsl?raw";
import { fp4Values } from "./codebooks/values.ts";
import type { WeightFormat } from "./format.ts";
import { joinHigh, joinLow } from "./nibbles.ts";
import { blocksOf, eachRow, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { randomBlocks } from "./sample.ts";

const blockSize = 64;
const bytesPerBlock = 36;

function scalesAt(cols: number): number {
  return planeUnits(blocksOf(cols));
}

function rowGroupBytes(cols: number): number {
  return (scalesAt(cols) + planeUnits(ceilDiv(blocksOf(cols), 8))) * unitBytes;
}

/** The seven bits that count, 0 for the scale that is none. */
function scaleBits(byte: number): number {
  return byte === 0x7f ? 0 : byte & 0x7f;
}

/** Half of the scale. */
function scaleValue(byte: number): number {
  if (byte === 0x7f) return 0;
  const exponent = (byte >> 3) & 15;
  return exponent === 0 ? (byte & 7) * 2 ** -10 : (1 + (byte & 7) / 8) * 2 ** (exponent - 8);
}

export const nvfp4: WeightFormat = {
  name: "nvfp4",
  ggufType: 40,
  blockSize,
  bytesPerBlock,
  part: `${wgsl}\n${shared}`,
  packed: true,
  halves: [],
  badScale(source) {
    for (let file = 0; file < source.length; file += bytesPerBlock) {
      for (let part = 0; part < 4; part++) if ((source[file + part] & 0x7f) === 0x7f) return file / bytesPerBlock;
    }
    return -1;
  },
  rowGroupBytes,
  constants: (cols) => ({ NVFP4_GROUP: rowGroupBytes(cols) / unitBytes, NVFP4_SCALES: scalesAt(cols) }),

  repack(source, span, out) {
    const blocks = span.cols / blockSize;
    const rowBytes = blocks * bytesPerBlock;
    const { source: from, words } = repackViews(source, span.rows * rowBytes, out, groupsOf(span.rows) * rowGroupBytes(span.cols));
    const scales = scalesAt(span.cols) * 4;
    eachRow(span, rowGroupBytes(span.cols), (row, at) => {
      for (let index = 0; index < blocks; index++) {
        const file = row * rowBytes + index * bytesPerBlock;
        const scaleWord = at + scales + (index >> 2) * unitStride + (index & 3);
        for (let part = 0; part < 4; part++) {
          const a = from.getUint32(file + 4 + part * 8, true);
          const b = from.getUint32(file + 8 + part * 8, true);
          const unit = at + (index * 2 + (part >> 1)) * unitStride + (part & 1) * 2;
          words[unit] = joinLow(a, b);
          words[unit + 1] = joinHigh(a, b);
          words[scaleWord] |= scaleBits(from.getUint8(file + part)) << (8 * part);
        }
      }
    });
  },

  dequantize(source, out) {
    for (let part = 0; part < out.length / 16; part++) {
      const file = (part >> 2) * bytesPerBlock;
      const scale = scaleValue(source[file + (part & 3)]);
      for (let index = 0; index < 8; index++) {
        const byte = source[file + 4 + (part & 3) * 8 + index];
        out[part * 16 + index] = scale * fp4Values[byte & 15];
        out[part * 16 + 8 + index] = scale * fp4Values[byte >> 4];
      }
    }
  },

  sample(rng, blocks) {
    const bytes = randomBlocks(rng, blocks, bytesPerBlock);
    // Scales up to 1/4, those without a leading one among them.
    for (let block = 0; block < blocks; block++) for (let part = 0; part < 4; part++) bytes[block * bytesPerBlock + part] = rng.below(0x28);
    return bytes;
  },
};
