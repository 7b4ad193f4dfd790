// Q8_0: blocks of 32 signed bytes with one f16 scale, w = d * q. File block: d, q[32] (34 bytes).
// Row group: codes [block][half][row] in file order, then scales [8 blocks][row], eight f16 to a unit.

import { f16ToF32, f32ToF16 } from "../base/dtype.ts";
import { ceilDiv } from "../base/math.ts";
import wgsl from "../../shaders/parts/weight/q8_0.wgsl?raw";
import type { WeightFormat } from "./format.ts";
import { blocksOf, eachRow, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { sampleBlocks } from "./sample.ts";

const blockSize = 32;
const bytesPerBlock = 34;

function scalesAt(cols: number): number {
  return planeUnits(blocksOf(cols) * 2);
}

function rowGroupBytes(cols: number): number {
  return (scalesAt(cols) + planeUnits(ceilDiv(blocksOf(cols), 8))) * unitBytes;
}

function quantize(values: Float32Array): Uint8Array {
  const blocks = values.length / blockSize;
  const view = new DataView(new ArrayBuffer(blocks * bytesPerBlock));
  for (let block = 0; block < blocks; block++) {
    const part = values.subarray(block * blockSize, (block + 1) * blockSize);
    const scale = part.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
    const bits = f32ToF16(scale);
    view.setUint16(block * bytesPerBlock, bits, true);
    // The exact scale picks the codes, as the stored one may round to zero.
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (const [index, value] of part.entries()) view.setInt8(block * bytesPerBlock + 2 + index, Math.round(value * inverse));
  }
  return new Uint8Array(view.buffer);
}

export const q8_0: WeightFormat = {
  name: "q8_0",
  ggufType: 8,
  blockSize,
  bytesPerBlock,
  part: wgsl,
  packed: true,
  halves: [0],
  rowGroupBytes,
  constants: (cols) => ({ Q8_0_GROUP: rowGroupBytes(cols) / unitBytes, Q8_0_SCALES: scalesAt(cols) }),

  repack(source, span, out) {
    const blocks = span.cols / blockSize;
    const rowBytes = blocks * bytesPerBlock;
    const { source: from, words } = repackViews(source, span.rows * rowBytes, out, groupsOf(span.rows) * rowGroupBytes(span.cols));
    const scales = scalesAt(span.cols) * 4;
    eachRow(span, rowGroupBytes(span.cols), (row, at) => {
      for (let block = 0; block < blocks; block++) {
        const file = row * rowBytes + block * bytesPerBlock;
        words[at + scales + (block >> 3) * unitStride + ((block & 7) >> 1)] |= from.getUint16(file, true) << ((block & 1) * 16);
        for (let word = 0; word < 8; word++) {
          words[at + (block * 2 + (word >> 2)) * unitStride + (word & 3)] = from.getUint32(file + 2 + word * 4, true);
        }
      }
    });
  },

  dequantize(source, out) {
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    for (let block = 0; block < out.length / blockSize; block++) {
      const file = block * bytesPerBlock;
      const d = f16ToF32(view.getUint16(file, true));
      for (let index = 0; index < blockSize; index++) out[block * blockSize + index] = d * view.getInt8(file + 2 + index);
    }
  },

  quantize,
  sample: (rng, blocks) => sampleBlocks(rng, blocks, { bytesPerBlock, sizes: { 0: 0.002 } }),
};
