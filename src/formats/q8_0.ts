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

/** f16 has fewer bits for scales below this. */
const smallestNormal = 2 ** -14;

/** Bit for bit as ggml's reference, but for scales that f16 holds badly: those are rounded up and pick the codes as they are stored. */
function quantize(values: Float32Array, room?: Uint8Array): Uint8Array {
  const blocks = values.length / blockSize;
  const out = room ?? new Uint8Array(blocks * bytesPerBlock);
  const codes = new Int8Array(out.buffer, out.byteOffset, out.length);
  for (let block = 0; block < blocks; block++) {
    const first = block * blockSize;
    let most = 0;
    for (let index = first; index < first + blockSize; index++) {
      const size = Math.abs(values[index]);
      if (size > most) most = size;
    }
    const exact = Math.fround(most / 127);
    const bits = exact < smallestNormal ? Math.ceil(exact * 2 ** 24) : f32ToF16(exact);
    const scale = exact < smallestNormal ? bits * 2 ** -24 : exact;
    const twice = scale === 0 ? 0 : Math.fround(1 / scale) * 2;
    const file = block * bytesPerBlock;
    codes[file] = bits & 0xff;
    codes[file + 1] = bits >> 8;
    for (let index = 0; index < blockSize; index++) {
      // Halves, cut to whole numbers, of which the odd ones go away from zero; no branch that would go either way.
      const halves = Math.fround(values[first + index] * twice) | 0;
      codes[file + 2 + index] = (halves + 1 + (halves >> 31)) >> 1;
    }
  }
  return out;
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
