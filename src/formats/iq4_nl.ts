// IQ4_NL: blocks of 32 four-bit codes for sixteen uneven values with one f16 scale, w = d * value[q]. File block: d, 16 bytes
// (18 bytes in all); byte j holds weight j in its low and weight j + 16 in its high nibble.
// Row group: codes [block][row] in the order of nibbles.ts, then scales [8 blocks][row], eight f16 to a unit.

import { f16ToF32 } from "../base/dtype.ts";
import { ceilDiv } from "../base/math.ts";
import shared from "../../shaders/parts/weight/iq4.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq4_nl.wgsl?raw";
import { iq4Values } from "./codebooks/values.ts";
import type { WeightFormat } from "./format.ts";
import { putHalves } from "./nibbles.ts";
import { blocksOf, eachRow, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { sampleBlocks } from "./sample.ts";

const blockSize = 32;
const bytesPerBlock = 18;

function scalesAt(cols: number): number {
  return planeUnits(blocksOf(cols));
}

function rowGroupBytes(cols: number): number {
  return (scalesAt(cols) + planeUnits(ceilDiv(blocksOf(cols), 8))) * unitBytes;
}

export const iq4_nl: WeightFormat = {
  name: "iq4_nl",
  ggufType: 20,
  blockSize,
  bytesPerBlock,
  part: `${wgsl}\n${shared}`,
  packed: true,
  halves: [0],
  rowGroupBytes,
  constants: (cols) => ({ IQ4_NL_GROUP: rowGroupBytes(cols) / unitBytes, IQ4_NL_SCALES: scalesAt(cols) }),

  repack(source, span, out) {
    const blocks = span.cols / blockSize;
    const rowBytes = blocks * bytesPerBlock;
    const { source: from, words } = repackViews(source, span.rows * rowBytes, out, groupsOf(span.rows) * rowGroupBytes(span.cols));
    const scales = scalesAt(span.cols) * 4;
    eachRow(span, rowGroupBytes(span.cols), (row, at) => {
      for (let block = 0; block < blocks; block++) {
        const file = row * rowBytes + block * bytesPerBlock;
        words[at + scales + (block >> 3) * unitStride + ((block & 7) >> 1)] |= from.getUint16(file, true) << ((block & 1) * 16);
        putHalves(from, file + 2, words, at + block * unitStride);
      }
    });
  },

  dequantize(source, out) {
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    for (let block = 0; block < out.length / blockSize; block++) {
      const file = block * bytesPerBlock;
      const d = f16ToF32(view.getUint16(file, true));
      for (let index = 0; index < 16; index++) {
        const byte = view.getUint8(file + 2 + index);
        out[block * blockSize + index] = d * iq4Values[byte & 15];
        out[block * blockSize + 16 + index] = d * iq4Values[byte >> 4];
      }
    }
  },

  sample: (rng, blocks) => sampleBlocks(rng, blocks, { bytesPerBlock, sizes: { 0: 0.004 } }),
};
