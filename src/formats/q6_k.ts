// Q6_K: super-blocks of 256 six-bit codes; each 16 have a signed byte as scale, w = (d * sc) * (q - 32).
// File block (210 bytes): 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 scales, d (f16). Half h (128 weights) has
// its weight 32j + k in byte 64h + 32(j & 1) + k, nibble j >> 1, and in bits 2j of high byte 32h + k.
// Row group: low nibbles [block of 32][row] in the order of nibbles.ts; then high pairs [2 blocks][row], where bits 2t of
// byte i of word u hold weight 16u + 4t + i; then the scales [super-block][row]; then d as f32 [4 super-blocks][row], because
// in real files it often is a subnormal f16, which an adapter may flush.

import { f16ToF32, f32ToF16 } from "../base/dtype.ts";
import { ceilDiv, clamp } from "../base/math.ts";
import type { WeightFormat } from "./format.ts";
import { joinHigh, joinLow } from "./nibbles.ts";
import { blocksOf, eachRow, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";

const blockSize = 256;
const bytesPerBlock = 210;
const highAt = 128;
const scalesAt = 192;
const dAt = 208;

interface Planes {
  readonly high: number;
  readonly scales: number;
  readonly supers: number;
  readonly units: number;
}

/** Where the planes begin, in units. */
function planes(cols: number): Planes {
  const count = cols / blockSize;
  const high = planeUnits(blocksOf(cols));
  const scales = high + planeUnits(blocksOf(cols) / 2);
  const supers = scales + planeUnits(count);
  return { high, scales, supers, units: supers + planeUnits(ceilDiv(count, 4)) };
}

function rowGroupBytes(cols: number): number {
  return planes(cols).units * unitBytes;
}

/** Byte of the low nibbles, and of the high pairs, that belong to weight `index` of a super-block. */
function lowByte(index: number): number {
  return (index >> 7) * 64 + ((index >> 5) & 1) * 32 + (index & 31);
}

function highByte(index: number): number {
  return highAt + (index >> 7) * 32 + (index & 31);
}

function codeOf(view: DataView, file: number, index: number): number {
  const j = (index >> 5) & 3;
  const low = (view.getUint8(file + lowByte(index)) >> (4 * (j >> 1))) & 15;
  return (low | (((view.getUint8(file + highByte(index)) >> (2 * j)) & 3) << 4)) - 32;
}

function writeCode(view: DataView, file: number, index: number, code: number): void {
  const j = (index >> 5) & 3;
  const low = file + lowByte(index);
  const high = file + highByte(index);
  view.setUint8(low, view.getUint8(low) | (((code + 32) & 15) << (4 * (j >> 1))));
  view.setUint8(high, view.getUint8(high) | (((code + 32) >> 4) << (2 * j)));
}

function farthest(list: ArrayLike<number>): number {
  return Array.from(list).reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
}

function quantizeSuper(values: Float32Array, view: DataView, file: number): void {
  const steps: number[] = [];
  for (let part = 0; part < 16; part++) steps.push(farthest(values.subarray(part * 16, part * 16 + 16)) / -32);
  view.setUint16(file + dAt, f32ToF16(farthest(steps) / -128), true);
  const d = f16ToF32(view.getUint16(file + dAt, true));
  for (let index = 0; index < blockSize; index++) {
    const scale = d === 0 ? 0 : clamp(Math.round(steps[index >> 4] / d), -128, 127);
    view.setInt8(file + scalesAt + (index >> 4), scale);
    const step = d * scale;
    writeCode(view, file, index, step === 0 ? 0 : clamp(Math.round(values[index] / step), -32, 31));
  }
}

/** Calls `put` with the words of the low and high planes that hold one 32-weight block. */
function repackBlock(from: DataView, file: number, block: number, put: (plane: "low" | "high", word: number, value: number) => void): void {
  const half = block >> 2;
  const j = block & 3;
  const low = file + half * 64 + (j & 1) * 32;
  const join = j < 2 ? joinLow : joinHigh;
  for (let word = 0; word < 4; word++)
    put("low", word, join(from.getUint32(low + word * 8, true), from.getUint32(low + word * 8 + 4, true)));
  for (let word = 0; word < 2; word++) {
    let pairs = 0;
    for (let t = 0; t < 4; t++) {
      const bytes = from.getUint32(file + highAt + half * 32 + (word * 4 + t) * 4, true);
      pairs |= ((bytes >>> (2 * j)) & 0x03030303) << (2 * t);
    }
    put("high", word, pairs);
  }
}

export const q6_k: WeightFormat = {
  name: "q6_k",
  ggufType: 14,
  blockSize,
  bytesPerBlock,
  rowGroupBytes,
  constants: (cols) => {
    const { high, scales, supers, units } = planes(cols);
    return { Q6_K_GROUP: units, Q6_K_HIGH: high, Q6_K_SCALES: scales, Q6_K_SUPERS: supers };
  },

  repack(source, span, out) {
    const count = span.cols / blockSize;
    const rowBytes = count * bytesPerBlock;
    const { source: from, words } = repackViews(source, span.rows * rowBytes, out, groupsOf(span.rows) * rowGroupBytes(span.cols));
    const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
    const { high, scales, supers } = planes(span.cols);
    eachRow(span, rowGroupBytes(span.cols), (row, at) => {
      for (let index = 0; index < count; index++) {
        const file = row * rowBytes + index * bytesPerBlock;
        floats[at + supers * 4 + (index >> 2) * unitStride + (index & 3)] = f16ToF32(from.getUint16(file + dAt, true));
        for (let i = 0; i < 4; i++) words[at + scales * 4 + index * unitStride + i] = from.getUint32(file + scalesAt + i * 4, true);
        for (let part = 0; part < 8; part++) {
          const block = index * 8 + part;
          const lowUnit = at + block * unitStride;
          const highUnit = at + high * 4 + (block >> 1) * unitStride + (block & 1) * 2;
          repackBlock(from, file, part, (plane, word, value) => {
            words[(plane === "low" ? lowUnit : highUnit) + word] = value;
          });
        }
      }
    });
  },

  dequantize(source, out) {
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    for (let index = 0; index < out.length; index++) {
      const file = (index >> 8) * bytesPerBlock;
      const d = f16ToF32(view.getUint16(file + dAt, true));
      const step = Math.fround(d * view.getInt8(file + scalesAt + ((index & 255) >> 4)));
      out[index] = step * codeOf(view, file, index & 255);
    }
  },

  quantize(values) {
    const view = new DataView(new ArrayBuffer((values.length / blockSize) * bytesPerBlock));
    for (let index = 0; index < values.length / blockSize; index++) {
      quantizeSuper(values.subarray(index * blockSize, (index + 1) * blockSize), view, index * bytesPerBlock);
    }
    return new Uint8Array(view.buffer);
  },
};
