// IQ4_NL: blocks of 32 four-bit codes for sixteen uneven values with one f16 scale, w = d * value[q]. File block: d, 16 bytes
// (18 bytes in all); byte j holds weight j in its low and weight j + 16 in its high nibble.
// Row group: codes [block][row] in the order of nibbles.ts, then scales [8 blocks][row], eight f16 to a unit.

import { f16ToF32 } from "../base/dtype.ts";
import shared from "../../shaders/parts/weight/iq4.wgsl?raw";
import wgsl from "../../shaders/parts/weight/iq4_nl.wgsl?raw";
import { blockFormat, putHalf } from "./block_format.ts";
import { iq4Values } from "./codebooks/values.ts";
import type { WeightFormat } from "./format.ts";
import { putHalves, takeHalves } from "./nibbles.ts";
import { unitStride } from "./row_groups.ts";

export const iq4_nl: WeightFormat = blockFormat({
  name: "iq4_nl",
  ggufType: 20,
  blockSize: 32,
  bytesPerBlock: 18,
  part: `${wgsl}\n${shared}`,
  planes: { codes: 32, scales: 256 },
  sizes: { 0: 0.004 },

  pack({ from, words, at }, file, block) {
    putHalf(words, at.scales, block, from.getUint16(file, true));
    putHalves(from, file + 2, words, at.codes + block * unitStride);
  },

  decode(from, file, out) {
    takeHalves(from, file + 2, { values: iq4Values, step: f16ToF32(from.getUint16(file, true)) }, out);
  },
});
