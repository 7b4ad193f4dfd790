// Q6_K: super-blocks of 256 six-bit codes; each 16 have a signed byte as scale, w = (d * sc) * (q - 32).
// File block (210 bytes): 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 scales, d (f16). Half h (128 weights) has
// its weight 32j + k in byte 64h + 32(j & 1) + k, nibble j >> 1, and in bits 2j of high byte 32h + k.
// Row group: low nibbles [block of 32][row] in the order of nibbles.ts; then high pairs [2 blocks][row], where bits 2t of
// byte i of word u hold weight 16u + 4t + i; then the scales [super-block][row]; then d as f32 [4 super-blocks][row], because
// in real files it often is a subnormal f16, which an adapter may flush.

import { f16ToF32 } from "../base/dtype.ts";
import { ceilDiv, clamp } from "../base/math.ts";
import planesPart from "../../shaders/parts/weight/planes.wgsl?raw";
import wgsl from "../../shaders/parts/weight/q6_k.wgsl?raw";
import { pairWord } from "./bit_planes.ts";
import type { WeightFormat } from "./format.ts";
import { joinHigh, joinLow } from "./nibbles.ts";
import { blocksOf, eachRow, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { sampleBlocks } from "./sample.ts";
import { farthest, storeHalf } from "./scaling.ts";

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

function quantizeSuper(values: Float32Array, view: DataView, file: number): void {
  const steps: number[] = [];
  for (let part = 0; part < 16; part++) steps.push(farthest(values.subarray(part * 16, part * 16 + 16)) / -32);
  const d = storeHalf(view, file + dAt, farthest(steps) / -128);
  for (let index = 0; index < blockSize; index++) {
    const scale = d === 0 ? 0 : clamp(Math.round(steps[index >> 4] / d), -128, 127);
    view.setInt8(file + scalesAt + (index >> 4), scale);
    const step = d * scale;
    writeCode(view, file, index, step === 0 ? 0 : clamp(Math.round(values[index] / step), -32, 31));
  }
}

/** Word `index` of the low nibbles of a 32-weight block of the super-block at `file`. */
function lowWord(from: DataView, file: number, block: number, index: number): number {
  const at = file + (block >> 2) * 64 + (block & 1) * 32 + index * 8;
  const join = (block & 2) === 0 ? joinLow : joinHigh;
  return join(from.getUint32(at, true), from.getUint32(at + 4, true));
}

/** Word `index` of its high bit pairs. */
function highWord(from: DataView, file: number, block: number, index: number): number {
  return pairWord(from, file + highAt + (block >> 2) * 32 + index * 16, 2 * (block & 3));
}

function quantize(values: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer((values.length / blockSize) * bytesPerBlock));
  for (let index = 0; index < values.length / blockSize; index++) {
    quantizeSuper(values.subarray(index * blockSize, (index + 1) * blockSize), view, index * bytesPerBlock);
  }
  return new Uint8Array(view.buffer);
}

export const q6_k: WeightFormat = {
  name: "q6_k",
  ggufType: 14,
  blockSize,
  bytesPerBlock,
  part: `${wgsl}\n${planesPart}`,
  packed: true,
  halves: [208],
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
          for (let word = 0; word < 4; word++) words[lowUnit + word] = lowWord(from, file, part, word);
          for (let word = 0; word < 2; word++) words[highUnit + word] = highWord(from, file, part, word);
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

  quantize,
  sample: (rng, blocks) => sampleBlocks(rng, blocks, { bytesPerBlock, sizes: { [dAt]: 0.0002 } }),
};
