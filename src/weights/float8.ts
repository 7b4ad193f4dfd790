// Floats of 8 bits, as checkpoints store them: exponent of 4 or 5 bits. Decodes only. Every byte is looked up, as there are 256.
// Facts: arXiv:2209.05433; E4M3 is the variant without infinities that ONNX and PyTorch call float8_e4m3fn.

import type { Float8 } from "./tensor_info.ts";

/** [256] the value of each byte; NaN for those that are none. */
export function float8Values(type: Float8): Float32Array {
  return Float32Array.from({ length: 256 }, (_, byte) => (type === "F8_E4M3" ? e4m3(byte) : e5m2(byte)));
}

function e4m3(byte: number): number {
  const magnitude = byte & 0x7f;
  if (magnitude === 0x7f) return Number.NaN;
  return signed(byte, magnitude >> 3, (magnitude & 7) / 8, 7);
}

function e5m2(byte: number): number {
  const magnitude = byte & 0x7f;
  if (magnitude > 0x7c) return Number.NaN;
  if (magnitude === 0x7c) return byte > 0x7f ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return signed(byte, magnitude >> 2, (magnitude & 3) / 4, 15);
}

/** @param fraction of the mantissa, below 1 */
function signed(byte: number, exponent: number, fraction: number, bias: number): number {
  const value = exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
  return byte > 0x7f ? -value : value;
}
