// Q4_0: blocks of 32 four-bit codes with one f16 scale, w = d * (q - 8). File block: d, 16 bytes (18 bytes in all); byte j
// holds weight j in its low and weight j + 16 in its high nibble.
// Row group: codes [block][row] in the order of nibbles.ts, then scales [8 blocks][row], eight f16 to a unit.

import { f16ToF32, f32ToF16 } from "../base/dtype.ts";
import { ceilDiv } from "../base/math.ts";
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

/** Bit for bit as ggml's reference: code 0 is the weight farthest from zero. */
function quantize(values: Float32Array, room?: Uint8Array): Uint8Array {
  const blocks = values.length / blockSize;
  const bytes = room ?? new Uint8Array(blocks * bytesPerBlock);
  for (let block = 0; block < blocks; block++) {
    const first = block * blockSize;
    const scale = scaleOf(values, first);
    const bits = f32ToF16(scale);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    const file = block * bytesPerBlock;
    bytes[file] = bits & 0xff;
    bytes[file + 1] = bits >> 8;
    for (let index = 0; index < 16; index++) {
      const low = Math.fround(Math.fround(values[first + index] * inverse) + 8.5) | 0;
      const high = Math.fround(Math.fround(values[first + 16 + index] * inverse) + 8.5) | 0;
      bytes[file + 2 + index] = Math.min(low, 15) | (Math.min(high, 15) << 4);
    }
  }
  return bytes;
}

function scaleOf(values: Float32Array, first: number): number {
  let most = 0;
  let farthest = 0;
  for (let index = first; index < first + blockSize; index++) {
    const size = Math.abs(values[index]);
    if (size <= most) continue;
    most = size;
    farthest = values[index];
  }
  return farthest / -8;
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
