// NVFP4: blocks of 64 E2M1 numbers, each 16 with an unsigned E4M3 scale, w = scale / 2 * value[q], the values doubled to be
// integers. File block: four scales, 32 bytes (36 bytes in all); of the 8 bytes of a part of 16, byte j holds weight j in its
// low and weight j + 8 in its high nibble. The scale 0x7f, NaN, is zero, and bit 7 of others is not looked at: so in ggml.
// Row group: codes [block of 32][row] in the order of nibbles.ts, then scales [8 blocks][row], two bytes a block.

import shared from "../../shaders/parts/weight/fp4.wgsl?raw";
import wgsl from "../../shaders/parts/weight/nvfp4.wgsl?raw";
import { blockFormat, putWord } from "./block_format.ts";
import { fp4Values } from "./codebooks/values.ts";
import type { WeightFormat } from "./format.ts";
import { joinHigh, joinLow, takeHalves } from "./nibbles.ts";
import { unitStride } from "./row_groups.ts";

const codesAt = 4;

/** The seven bits that count, 0 for the scale that is none. */
function scaleBits(byte: number): number {
  return byte === 0x7f ? 0 : byte & 0x7f;
}

/** Half of the scale. */
function scaleValue(byte: number): number {
  if (byte === 0x7f) return 0;
  const exponent = (byte >> 3) & 15;
  return exponent === 0 ? (byte & 7) * 2 ** -10 : (1 + (byte & 7) / 8) * 2 ** (exponent - 8);
}

export const nvfp4: WeightFormat = blockFormat({
  name: "nvfp4",
  ggufType: 40,
  blockSize: 64,
  bytesPerBlock: 36,
  part: `${wgsl}\n${shared}`,
  planes: { codes: 32, scales: 256 },
  sizes: {},
  badScale(source, file) {
    for (let part = 0; part < 4; part++) if ((source[file + part] & 0x7f) === 0x7f) return true;
    return false;
  },
  // Scales up to 1/4, those without a leading one among them.
  sampleScales(rng, bytes, file) {
    for (let part = 0; part < 4; part++) bytes[file + part] = rng.below(0x28);
  },

  pack({ from, words, at }, file, block) {
    let scales = 0;
    for (let part = 0; part < 4; part++) {
      const first = from.getUint32(file + codesAt + part * 8, true);
      const second = from.getUint32(file + codesAt + part * 8 + 4, true);
      const unit = at.codes + (block * 2 + (part >> 1)) * unitStride + (part & 1) * 2;
      words[unit] = joinLow(first, second);
      words[unit + 1] = joinHigh(first, second);
      scales |= scaleBits(from.getUint8(file + part)) << (8 * part);
    }
    putWord(words, at.scales, block, scales);
  },

  decode(from, file, out) {
    for (let part = 0; part < 4; part++) {
      const step = scaleValue(from.getUint8(file + part));
      takeHalves(from, file + codesAt + part * 8, { values: fp4Values, step }, out.subarray(part * 16, part * 16 + 16));
    }
  },
});
