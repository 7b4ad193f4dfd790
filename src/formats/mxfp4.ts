// MXFP4 (OCP Microscaling Formats 1.0): blocks of 32 E2M1 numbers with a power of two as scale, w = 2^(e - 128) * value[q], the
// values doubled to be integers. File block: e (one byte, E8M0), 16 bytes (17 bytes in all); byte j holds weight j in its low
// and weight j + 16 in its high nibble.
// Blocks with e below 26 count as zero: their weights are below 2^-99, and a part of the decoding would be subnormal.
// Row group: codes [block][row] in the order of nibbles.ts, then e [16 blocks][row], a byte each.

import shared from "../../shaders/parts/weight/fp4.wgsl?raw";
import wgsl from "../../shaders/parts/weight/mxfp4.wgsl?raw";
import { blockFormat } from "./block_format.ts";
import { fp4Values } from "./codebooks/values.ts";
import type { WeightFormat } from "./format.ts";
import { putHalves, takeHalves } from "./nibbles.ts";
import { unitStride } from "./row_groups.ts";

/** The least e whose scale times 2^-24 is normal, and the least whose scale times 128 is infinite: decoding takes such steps. */
const leastExponent = 26;
const badExponent = 249;

export const mxfp4: WeightFormat = blockFormat({
  name: "mxfp4",
  ggufType: 39,
  blockSize: 32,
  bytesPerBlock: 17,
  part: `${wgsl}\n${shared}`,
  planes: { codes: 32, scales: 512 },
  sizes: {},
  badScale: (source, file) => source[file] >= badExponent,
  sampleScales(rng, bytes, file) {
    bytes[file] = 120 + rng.below(6);
  },

  pack({ from, words, at }, file, block) {
    const exponent = from.getUint8(file);
    if (exponent < leastExponent) return;
    words[at.scales + (block >> 4) * unitStride + ((block & 15) >> 2)] |= exponent << ((block & 3) * 8);
    putHalves(from, file + 1, words, at.codes + block * unitStride);
  },

  decode(from, file, out) {
    takeHalves(from, file + 1, { values: fp4Values, step: 2 ** (from.getUint8(file) - 128) }, out);
  },
});
