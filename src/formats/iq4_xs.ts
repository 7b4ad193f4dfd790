// IQ4_XS: super-blocks of 256 four-bit codes for the values of IQ4_NL; each 32 have a six-bit scale, w = d * (sc - 32) * value[q].
// File block (136 bytes): d (f16), scales_h (u16, two high bits of each scale), scales_l (4 bytes, low nibbles), 128 bytes of
// codes; of the 16 bytes of a block of 32, byte j holds weight j in its low and weight j + 16 in its high nibble.
// Row group: codes [block][row] in the order of nibbles.ts; then sc - 32 as signed bytes [2 super-blocks][row]; then d as f32
// [4 super-blocks][row].

import { f16ToF32 } from "../base/dtype.ts";
import { ceilDiv } from "../base/math.ts";
import shared from "../../shaders/parts/weight/iq4.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq4_xs.wgsl?raw";
import { iq4Values } from "./codebooks/values.ts";
import type { WeightFormat } from "./format.ts";
import { putHalves } from "./nibbles.ts";
import { blocksOf, eachRow, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";
import { sampleBlocks } from "./sample.ts";

const blockSize = 256;
const bytesPerBlock = 136;
const highAt = 2;
const lowAt = 4;
const codesAt = 8;

interface Planes {
  readonly scales: number;
  readonly supers: number;
  readonly units: number;
}

/** Where the planes begin, in units. */
function planes(cols: number): Planes {
  const count = cols / blockSize;
  const scales = planeUnits(blocksOf(cols));
  const supers = scales + planeUnits(ceilDiv(count, 2));
  return { scales, supers, units: supers + planeUnits(ceilDiv(count, 4)) };
}

function rowGroupBytes(cols: number): number {
  return planes(cols).units * unitBytes;
}

/** Scale of 32-weight block `part` of the super-block at `file`, from -32 to 31. */
function scaleOf(view: DataView, file: number, part: number): number {
  const low = (view.getUint8(file + lowAt + (part >> 1)) >> (4 * (part & 1))) & 15;
  const high = (view.getUint16(file + highAt, true) >> (2 * part)) & 3;
  return (low | (high << 4)) - 32;
}

export const iq4_xs: WeightFormat = {
  name: "iq4_xs",
  ggufType: 23,
  blockSize,
  bytesPerBlock,
  part: `${wgsl}\n${shared}`,
  packed: true,
  halves: [0],
  rowGroupBytes,
  constants: (cols) => {
    const { scales, supers, units } = planes(cols);
    return { IQ4_XS_GROUP: units, IQ4_XS_SCALES: scales, IQ4_XS_SUPERS: supers };
  },

  repack(source, span, out) {
    const count = span.cols / blockSize;
    const rowBytes = count * bytesPerBlock;
    const { source: from, words } = repackViews(source, span.rows * rowBytes, out, groupsOf(span.rows) * rowGroupBytes(span.cols));
    const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
    const { scales, supers } = planes(span.cols);
    eachRow(span, rowGroupBytes(span.cols), (row, at) => {
      for (let index = 0; index < count; index++) {
        const file = row * rowBytes + index * bytesPerBlock;
        const scaleWords = at + scales * 4 + (index >> 1) * unitStride + (index & 1) * 2;
        floats[at + supers * 4 + (index >> 2) * unitStride + (index & 3)] = f16ToF32(from.getUint16(file, true));
        for (let part = 0; part < 8; part++) {
          words[scaleWords + (part >> 2)] |= (scaleOf(from, file, part) & 255) << (8 * (part & 3));
          putHalves(from, file + codesAt + part * 16, words, at + (index * 8 + part) * unitStride);
        }
      }
    });
  },

  dequantize(source, out) {
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    for (let block = 0; block < out.length / 32; block++) {
      const file = (block >> 3) * bytesPerBlock;
      const step = f16ToF32(view.getUint16(file, true)) * scaleOf(view, file, block & 7);
      for (let index = 0; index < 16; index++) {
        const byte = view.getUint8(file + codesAt + (block & 7) * 16 + index);
        out[block * 32 + index] = step * iq4Values[byte & 15];
        out[block * 32 + 16 + index] = step * iq4Values[byte >> 4];
      }
    }
  },

  sample: (rng, blocks) => sampleBlocks(rng, blocks, { bytesPerBlock, sizes: { 0: 0.0002 } }),
};
