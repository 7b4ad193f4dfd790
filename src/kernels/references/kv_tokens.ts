// Vectors of tokens as `q8_0` and `bfp4` hold them: codes, and what blocks of them share. Every rounding is defined exactly, so that shaders
// give the same words.

import { f16ToF32 } from "../../base/dtype.ts";
import { type KvTokenType, kvBlock } from "../../base/kv_types.ts";
import { ceilDiv } from "../../base/math.ts";

/** A vector of a head: words of codes, then words of what its blocks share. */
export interface TokenWords {
  readonly codes: Uint32Array;
  readonly shared: Uint32Array;
}

/** Bits that codes and shares take. */
const widths = { q8_0: { code: 8, share: 16, bias: 128 }, bfp4: { code: 4, share: 8, bias: 8 } } as const;

const floatScratch = new Float32Array(1);
const bitScratch = new Uint32Array(floatScratch.buffer);

function floatBits(value: number): number {
  floatScratch[0] = value;
  return bitScratch[0];
}

/** Bits of the least normal f16 that is no less than a number >= 0, or the largest. */
function halfAbove(value: number): number {
  const bits = floatBits(value);
  if (bits >= 0x477fe000) return 0x7bff;
  return bits >= 0x38800000 ? (bits - 0x38000000 + 0x1fff) >>> 13 : Math.min(bits, 1) * 0x400;
}

/** What a block shares, from its largest magnitude: for `q8_0` the f16 of 128 steps, for `bfp4` the biased exponent. */
function share(type: KvTokenType, largest: number): number {
  if (type === "bfp4") {
    const exponent = floatBits(largest) >>> 23;
    if (exponent === 255) return exponent;
    return exponent < 4 ? 0 : Math.min(exponent, 253);
  }
  return Number.isFinite(largest) ? halfAbove(Math.fround(largest * Math.fround(1 / 127)) * 128) : 0x7e00;
}

/** What a code counts. */
function stepOf(type: KvTokenType, shared: number): number {
  if (type === "q8_0") return f16ToF32(shared) / 128;
  return shared === 255 ? Number.NaN : shared === 0 ? 0 : 2 ** (shared - 129);
}

function roundEven(value: number): number {
  const below = Math.floor(value);
  const half = value - below === 0.5;
  return half ? below + (below & 1) : Math.round(value);
}

function codeOf(type: KvTokenType, value: number, step: number): number {
  if (!(step > 0)) return 0;
  if (type === "bfp4") return Math.min(Math.max(roundEven(value / step), -8), 7);
  const below = Math.floor(Math.fround(value * Math.fround(1 / step)));
  return Math.min(Math.max(below + (value >= (below + 0.5) * step ? 1 : 0), -127), 127);
}

function largestOf(values: Float32Array): number {
  return values.every(Number.isFinite) ? values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) : Number.POSITIVE_INFINITY;
}

/** @param vector  [headDim] */
export function encodeToken(type: KvTokenType, vector: Float32Array): TokenWords {
  const { code: codeBits, share: shareBits, bias } = widths[type];
  const size = kvBlock(type, vector.length);
  const codes = new Uint32Array(ceilDiv(vector.length * codeBits, 32));
  const shared = new Uint32Array(ceilDiv((vector.length / size) * shareBits, 32));
  for (let d = 0; d < vector.length; d += size) {
    const values = vector.subarray(d, d + size);
    const one = share(type, largestOf(values));
    const at = (d / size) * shareBits;
    shared[at >> 5] |= one << (at & 31);
    for (const [index, value] of values.entries()) {
      const bit = (d + index) * codeBits;
      codes[bit >> 5] |= (codeOf(type, value, stepOf(type, one)) + bias) << (bit & 31);
    }
  }
  return { codes, shared };
}

/** [headDim]; NaN where a block held something that was not finite. */
export function decodeToken(type: KvTokenType, { codes, shared }: TokenWords, headDim: number): Float32Array {
  const { code: codeBits, share: shareBits, bias } = widths[type];
  const size = kvBlock(type, headDim);
  return Float32Array.from({ length: headDim }, (_, d) => {
    const at = Math.floor(d / size) * shareBits;
    const step = stepOf(type, (shared[at >> 5] >>> (at & 31)) & (2 ** shareBits - 1));
    const bit = d * codeBits;
    return (((codes[bit >> 5] >>> (bit & 31)) & (2 ** codeBits - 1)) - bias) * step;
  });
}

/** What a cache of the type gives back of a vector. */
export function keptToken(type: KvTokenType, vector: Float32Array): Float32Array {
  return decodeToken(type, encodeToken(type, vector), vector.length);
}
