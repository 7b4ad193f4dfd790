// Q4_0: blocks of 32 four-bit codes with one f16 scale, w = d * (q - 8). File block: d, 16 bytes (18 bytes in all); byte j
// holds weight j in its low and weight j + 16 in its high nibble.
// Row group: codes [block][row] in the order of nibbles.ts, then scales [8 blocks][row], eight f16 to a unit.

import { f16ToF32, f32ToF16 } from "../base/dtype.ts";
import { ceilDiv, clamp } from "../base/math.ts";
import wgsl from "../../shaders/parts/weight/q4_0.wgsl?raw";
import type { WeightFormat } from "./format.ts";
import { joinHigh, joinLow } from "./nibbles.ts";
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

/** The scale whose code 0 is exactly the weight farthest from zero. */
function scaleOf(values: Float32Array): number {
  let farthest = 0;
  for (const value of values) if (Math.abs(value) > Math.abs(farthest)) farthest = value;
  return farthest / -8;
}

function quantize(values: Float32Array): Uint8Array {
  const blocks = values.length / blockSize;
  const view = new DataView(new ArrayBuffer(blocks * bytesPerBlock));
  for (let block = 0; block < blocks; block++) {
    const file = block * bytesPerBlock;
    const part = values.subarray(block * blockSize, (block + 1) * blockSize);
    const scale = scaleOf(part);
    view.setUint16(file, f32ToF16(scale), true);
    const code = (value: number): number => (scale === 0 ? 8 : clamp(Math.round(value / scale) + 8, 0, 15));
    for (let index = 0; index < 16; index++) {
      view.setUint8(file + 2 + index, code(part[index]) | (code(part[index + 16]) << 4));
    }
  }
  return new Uint8Array(view.buffer);
}

export const q4_0: WeightFormat = {
  name: "q4_0",
  ggufType: 2,
  blockSize,
  bytesPerBlock,
  part: wgsl,
  packed: true,
  halves: [0],
  codeBits: 4,
  rowGroupBytes,
  constants: (cols) => ({ Q4_0_GROUP: rowGroupBytes(cols) / unitBytes, Q4_0_SCALES: scalesAt(cols) }),

  repack(source, span, out) {
    const blocks = span.cols / blockSize;
    const rowBytes = blocks * bytesPerBlock;
    const { source: from, words } = repackViews(source, span.rows * rowBytes, out, groupsOf(span.rows) * rowGroupBytes(span.cols));
    const scales = scalesAt(span.cols) * 4;
    eachRow(span, rowGroupBytes(span.cols), (row, at) => {
      for (let block = 0; block < blocks; block++) {
        const file = row * rowBytes + block * bytesPerBlock;
        words[at + scales + (block >> 3) * unitStride + ((block & 7) >> 1)] |= from.getUint16(file, true) << ((block & 1) * 16);
        const a = from.getUint32(file + 2, true);
        const b = from.getUint32(file + 6, true);
        const c = from.getUint32(file + 10, true);
        const d = from.getUint32(file + 14, true);
        const unit = at + block * unitStride;
        words[unit] = joinLow(a, b);
        words[unit + 1] = joinLow(c, d);
        words[unit + 2] = joinHigh(a, b);
        words[unit + 3] = joinHigh(c, d);
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
        out[block * blockSize + index] = d * ((byte & 15) - 8);
        out[block * blockSize + 16 + index] = d * ((byte >> 4) - 8);
      }
    }
  },

  quantize,
  sample: (rng, blocks) => sampleBlocks(rng, blocks, { bytesPerBlock, sizes: { 0: 0.02 } }),
};
