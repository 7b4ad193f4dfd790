// IQ4_XS: super-blocks of 256 four-bit codes for the values of IQ4_NL; each 32 have a six-bit scale, w = d * (sc - 32) * value[q].
// File block (136 bytes): d (f16), scales_h (u16, two high bits of each scale), scales_l (4 bytes, low nibbles), 128 bytes of
// codes; of the 16 bytes of a block of 32, byte j holds weight j in its low and weight j + 16 in its high nibble.
// Row group: codes [block][row] in the order of nibbles.ts; then sc - 32 as signed bytes [2 super-blocks][row]; then d as f32
// [4 super-blocks][row].

import { f16ToF32 } from "../base/dtype.ts";
import shared from "../../shaders/parts/weight/iq4.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq4_xs.wgsl?raw";
import { blockFormat, putFloat, putWord } from "./block_format.ts";
import { iq4Values } from "./codebooks/values.ts";
import type { WeightFormat } from "./format.ts";
import { putHalves, takeHalves } from "./nibbles.ts";
import { unitStride } from "./row_groups.ts";

const highAt = 2;
const lowAt = 4;
const codesAt = 8;

/** Scale of 32-weight block `part` of the super-block at `file`, from -32 to 31. */
function scaleOf(from: DataView, file: number, part: number): number {
  const low = (from.getUint8(file + lowAt + (part >> 1)) >> (4 * (part & 1))) & 15;
  const high = (from.getUint16(file + highAt, true) >> (2 * part)) & 3;
  return (low | (high << 4)) - 32;
}

export const iq4_xs: WeightFormat = blockFormat({
  name: "iq4_xs",
  ggufType: 23,
  blockSize: 256,
  bytesPerBlock: 136,
  part: `${wgsl}\n${shared}`,
  planes: { codes: 32, scales: 512, supers: 1024 },
  sizes: { 0: 0.0002 },

  pack({ from, words, floats, at }, file, block) {
    putFloat(floats, at.supers, block, f16ToF32(from.getUint16(file, true)));
    const scales = [0, 0];
    for (let part = 0; part < 8; part++) {
      scales[part >> 2] |= (scaleOf(from, file, part) & 255) << (8 * (part & 3));
      putHalves(from, file + codesAt + part * 16, words, at.codes + (block * 8 + part) * unitStride);
    }
    for (let word = 0; word < 2; word++) putWord(words, at.scales, block * 2 + word, scales[word]);
  },

  decode(from, file, out) {
    const d = f16ToF32(from.getUint16(file, true));
    for (let part = 0; part < 8; part++) {
      const step = d * scaleOf(from, file, part);
      takeHalves(from, file + codesAt + part * 16, { values: iq4Values, step }, out.subarray(part * 32, part * 32 + 32));
    }
  },
});
