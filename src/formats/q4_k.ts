// Q4_K: super-blocks of 256 four-bit codes; each 32 have a 6-bit scale and minimum, w = (d * sc) * q - (dmin * m).
// File block (144 bytes): d, dmin (f16), 12 bytes of packed sc and m, 128 bytes of codes (byte 32i + j holds weight 64i + j
// in its low and 64i + 32 + j in its high nibble).
// Row group: codes [block of 32][row] in the order of nibbles.ts; then sc[8], m[8] as bytes [super-block][row]; then d, dmin
// as f16 pairs [4 super-blocks][row].

import { f16ToF32 } from "../base/dtype.ts";
import { ceilDiv } from "../base/math.ts";
import wgsl from "../../shaders/parts/weight/q4_k.wgsl?raw";
import type { WeightFormat } from "./format.ts";
import { scaleWord, sixBits, writeKScales } from "./k_scales.ts";
import { joinHigh, joinLow } from "./nibbles.ts";
import { blocksOf, eachRow, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { sampleBlocks } from "./sample.ts";

const blockSize = 256;
const bytesPerBlock = 144;
const codesAt = 16;

interface Planes {
  readonly scales: number;
  readonly supers: number;
  readonly units: number;
}

/** Where the planes begin, in units. */
function planes(cols: number): Planes {
  const count = cols / blockSize;
  const scales = planeUnits(blocksOf(cols));
  const supers = scales + planeUnits(count);
  return { scales, supers, units: supers + planeUnits(ceilDiv(count, 4)) };
}

function rowGroupBytes(cols: number): number {
  return planes(cols).units * unitBytes;
}

function quantizeSuper(values: Float32Array, to: DataView, file: number): void {
  const { steps, floors } = writeKScales(values, { to, file, most: 15 });
  for (let pair = 0; pair < 4; pair++) {
    const at = file + codesAt + pair * 32;
    const [low, high] = [pair * 2, pair * 2 + 1];
    for (let index = 0; index < 32; index++) {
      const first = codeOf(values[low * 32 + index] + floors[low], steps[low]);
      to.setUint8(at + index, first | (codeOf(values[high * 32 + index] + floors[high], steps[high]) << 4));
    }
  }
}

/** A code from 0 to 15 for a weight above its floor. */
function codeOf(height: number, step: number): number {
  const code = step === 0 ? 0 : (height / step + 0.5) | 0;
  return code > 15 ? 15 : code < 0 ? 0 : code;
}

function quantize(values: Float32Array, room?: Uint8Array): Uint8Array {
  const bytes = room ?? new Uint8Array((values.length / blockSize) * bytesPerBlock);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let index = 0; index < values.length / blockSize; index++) {
    quantizeSuper(values.subarray(index * blockSize, (index + 1) * blockSize), view, index * bytesPerBlock);
  }
  return bytes;
}

export const q4_k: WeightFormat = {
  name: "q4_k",
  ggufType: 12,
  blockSize,
  bytesPerBlock,
  part: wgsl,
  packed: true,
  halves: [0, 2],
  codeBits: 4,
  rowGroupBytes,
  constants: (cols) => ({ Q4_K_GROUP: planes(cols).units, Q4_K_SCALES: planes(cols).scales, Q4_K_SUPERS: planes(cols).supers }),

  repack(source, span, out) {
    const count = span.cols / blockSize;
    const rowBytes = count * bytesPerBlock;
    const { source: from, words } = repackViews(source, span.rows * rowBytes, out, groupsOf(span.rows) * rowGroupBytes(span.cols));
    const { scales, supers } = planes(span.cols);
    eachRow(span, rowGroupBytes(span.cols), (row, at) => {
      for (let index = 0; index < count; index++) {
        const file = row * rowBytes + index * bytesPerBlock;
        words[at + supers * 4 + (index >> 2) * unitStride + (index & 3)] = from.getUint32(file, true);
        for (let i = 0; i < 4; i++) words[at + scales * 4 + index * unitStride + i] = scaleWord(from, file, i);
        for (let word = 0; word < 16; word++) {
          const first = from.getUint32(file + codesAt + word * 8, true);
          const second = from.getUint32(file + codesAt + word * 8 + 4, true);
          const unit = at + (index * 8 + (word >> 2) * 2) * unitStride + (word & 3);
          words[unit] = joinLow(first, second);
          words[unit + unitStride] = joinHigh(first, second);
        }
      }
    });
  },

  dequantize(source, out) {
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    for (let block = 0; block < out.length / 32; block++) {
      const file = (block >> 3) * bytesPerBlock;
      const j = block & 7;
      const step = Math.fround(f16ToF32(view.getUint16(file, true)) * sixBits(view, file, j));
      const floor = Math.fround(f16ToF32(view.getUint16(file + 2, true)) * sixBits(view, file, 8 + j));
      for (let index = 0; index < 32; index++) {
        const byte = view.getUint8(file + codesAt + (j >> 1) * 32 + index);
        out[block * 32 + index] = Math.fround(step * ((byte >> (4 * (j & 1))) & 15)) - floor;
      }
    }
  },

  quantize,
  sample: (rng, blocks) => sampleBlocks(rng, blocks, { bytesPerBlock, sizes: { 0: 0.0006, 2: 0.003 } }),
};
