// MXFP4 (OCP Microscaling Formats 1.0): blocks of 32 E2M1 numbers with a power of two as scale, w = 2^(e - 128) * value[q], the
// values doubled to be integers. File block: e (one byte, E8M0), 16 bytes (17 bytes in all); byte j holds weight j in its low
// and weight j + 16 in its high nibble.
// Blocks with e below 26 count as zero: their weights are below 2^-99, and a part of the decoding would be subnormal.
// Row group: codes [block][row] in the order of nibbles.ts, then e [16 blocks][row], a byte each.

import { ceilDiv } from "../base/math.ts";
import shared from "../../shaders/parts/weight/fp4.wgsl?raw";
import wgsl from "../../shaders/parts/weight/mxfp4.wgsl?raw";
import { fp4Values } from "./codebooks/values.ts";
import type { WeightFormat } from "./format.ts";
import { putHalves } from "./nibbles.ts";
import { blocksOf, eachRow, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { randomBlocks } from "./sample.ts";

const blockSize = 32;
const bytesPerBlock = 17;

/** The least e whose scale times 2^-24 is normal, and the least whose scale times 128 is infinite: decoding takes such steps. */
const leastExponent = 26;
const badExponent = 249;

function scalesAt(cols: number): number {
  return planeUnits(blocksOf(cols));
}

function rowGroupBytes(cols: number): number {
  return (scalesAt(cols) + planeUnits(ceilDiv(blocksOf(cols), 16))) * unitBytes;
}

export const mxfp4: WeightFormat = {
  name: "mxfp4",
  ggufType: 39,
  blockSize,
  bytesPerBlock,
  part: `${wgsl}\n${shared}`,
  packed: true,
  halves: [],
  badScale(source) {
    for (let at = 0; at < source.length; at += bytesPerBlock) if (source[at] >= badExponent) return at / bytesPerBlock;
    return -1;
  },
  rowGroupBytes,
  constants: (cols) => ({ MXFP4_GROUP: rowGroupBytes(cols) / unitBytes, MXFP4_SCALES: scalesAt(cols) }),

  repack(source, span, out) {
    const blocks = span.cols / blockSize;
    const rowBytes = blocks * bytesPerBlock;
    const { source: from, words } = repackViews(source, span.rows * rowBytes, out, groupsOf(span.rows) * rowGroupBytes(span.cols));
    const scales = scalesAt(span.cols) * 4;
    eachRow(span, rowGroupBytes(span.cols), (row, at) => {
      for (let block = 0; block < blocks; block++) {
        const file = row * rowBytes + block * bytesPerBlock;
        if (source[file] < leastExponent) continue;
        words[at + scales + (block >> 4) * unitStride + ((block & 15) >> 2)] |= source[file] << ((block & 3) * 8);
        putHalves(from, file + 1, words, at + block * unitStride);
      }
    });
  },

  dequantize(source, out) {
    for (let block = 0; block < out.length / blockSize; block++) {
      const file = block * bytesPerBlock;
      const scale = 2 ** (source[file] - 128);
      for (let index = 0; index < 16; index++) {
        const byte = source[file + 1 + index];
        out[block * blockSize + index] = scale * fp4Values[byte & 15];
        out[block * blockSize + 16 + index] = scale * fp4Values[byte >> 4];
      }
    }
  },

  sample(rng, blocks) {
    const bytes = randomBlocks(rng, blocks, bytesPerBlock);
    for (let block = 0; block < blocks; block++) bytes[block * bytesPerBlock] = 120 + rng.below(6);
    return bytes;
  },
};
