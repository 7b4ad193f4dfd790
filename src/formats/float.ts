// The plain weight types: F32, F16 and BF16. A unit holds 4 (f32) or 8 consecutive weights of a row, in file order.

import { f16ToF32, f32ToBf16, f32ToF16 } from "../base/dtype.ts";
import { blockWidth } from "../base/layout.ts";
import bf16Part from "../../shaders/parts/weight/bf16.wgsl?raw";
import f16Part from "../../shaders/parts/weight/f16.wgsl?raw";
import f32Part from "../../shaders/parts/weight/f32.wgsl?raw";
import type { WeightFormat } from "./format.ts";
import { blocksOf, eachRow, groupsOf, planeUnits, repackViews, unitBytes, unitStride } from "./row_groups.ts";

interface FloatType {
  readonly name: string;
  readonly ggufType: number;
  readonly bytes: 2 | 4;
  readonly part: string;
  /** Exponents of the values in a word, and one in the last place of each: their sum carries out of an exponent of ones. */
  readonly exponents: number;
  readonly carry: number;
  readonly dequantize: (source: Uint8Array, out: Float32Array) => void;
  readonly write: (view: DataView, at: number, value: number) => void;
}

function floatFormat({ name, ggufType, bytes, part, exponents, carry, dequantize, write }: FloatType): WeightFormat {
  const rowGroupBytes = (cols: number): number => planeUnits((blocksOf(cols) * blockWidth * bytes) / unitBytes) * unitBytes;
  const quantize = (values: Float32Array): Uint8Array => {
    const view = new DataView(new ArrayBuffer(values.length * bytes));
    for (const [index, value] of values.entries()) write(view, index * bytes, value);
    return new Uint8Array(view.buffer);
  };
  return {
    name,
    ggufType,
    blockSize: 1,
    bytesPerBlock: bytes,
    part,
    packed: false,
    halves: [],
    // A value is its own scale.
    badScale: (source) => firstNonFinite(source, bytes, { exponents, carry }),
    rowGroupBytes,
    constants: (cols) => ({ [`${name.toUpperCase()}_GROUP`]: rowGroupBytes(cols) / unitBytes }),
    repack(source, span, out) {
      const rowBytes = span.cols * bytes;
      const { words } = repackViews(source, span.rows * rowBytes, out, groupsOf(span.rows) * rowGroupBytes(span.cols));
      const wholeUnits = Math.floor(rowBytes / unitBytes);
      const out8 = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
      eachRow(span, rowGroupBytes(span.cols), (row, at) => {
        const file = row * rowBytes;
        const from = wordsAt(source, file, wholeUnits * 4);
        for (let unit = 0; unit < wholeUnits; unit++) {
          const place = at + unit * unitStride;
          words[place] = from[unit * 4];
          words[place + 1] = from[unit * 4 + 1];
          words[place + 2] = from[unit * 4 + 2];
          words[place + 3] = from[unit * 4 + 3];
        }
        const rest = source.subarray(file + wholeUnits * unitBytes, file + rowBytes);
        if (rest.length > 0) out8.set(rest, (at + wholeUnits * unitStride) * 4);
      });
    },
    dequantize,
    quantize,
    sample: (rng, blocks) => Uint8Array.from(quantize(Float32Array.from({ length: blocks }, () => rng.normal() * 0.05))),
  };
}

/** Words from byte `at` on, copied where they lie at an odd address. */
function wordsAt(source: Uint8Array, at: number, count: number): Uint32Array {
  const start = source.byteOffset + at;
  if (start % 4 === 0) return new Uint32Array(source.buffer, start, count);
  return new Uint32Array(source.slice(at, at + count * 4).buffer);
}

/** Place of the first NaN or infinity, or -1. */
function firstNonFinite(source: Uint8Array, bytes: 2 | 4, { exponents, carry }: Pick<FloatType, "exponents" | "carry">): number {
  const words = wordsAt(source, 0, source.byteLength >> 2);
  let carried = 0;
  for (let index = 0; index < words.length; index++) carried |= (words[index] & exponents) + carry;
  // With one exponent in a word, or with two.
  const signs = bytes === 4 ? 0x80000000 : 0x80008000;
  if ((carried & signs) === 0 && source.byteLength % 4 === 0) return -1;
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  for (let at = 0; at < source.byteLength; at += bytes) {
    const bits = bytes === 4 ? view.getUint32(at, true) : view.getUint16(at, true);
    const own = bytes === 4 ? exponents : exponents & 0xffff;
    if ((bits & own) >>> 0 === own >>> 0) return at / bytes;
  }
  return -1;
}

/** 16-bit values, copied where they lie at an odd address. */
function halvesOf(source: Uint8Array, count: number): Uint16Array {
  const bytes = source.byteOffset % 2 === 0 ? source : source.slice();
  return new Uint16Array(bytes.buffer, bytes.byteOffset, count);
}

function wordsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

function dequantizeF32(source: Uint8Array, out: Float32Array): void {
  new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(source.subarray(0, out.byteLength));
}

function dequantizeF16(source: Uint8Array, out: Float32Array): void {
  const halves = halvesOf(source, out.length);
  const words = wordsOf(out);
  for (let index = 0; index < halves.length; index++) {
    const half = halves[index];
    const magnitude = half & 0x7fff;
    // Normal numbers need another bias of the exponent only.
    if (magnitude >= 0x400 && magnitude < 0x7c00) words[index] = ((half & 0x8000) << 16) | ((magnitude << 13) + 0x38000000);
    else out[index] = f16ToF32(half);
  }
}

function dequantizeBf16(source: Uint8Array, out: Float32Array): void {
  const halves = halvesOf(source, out.length);
  const words = wordsOf(out);
  for (let index = 0; index < halves.length; index++) words[index] = halves[index] << 16;
}

export const f32: WeightFormat = floatFormat({
  name: "f32",
  part: f32Part,
  exponents: 0x7f800000,
  carry: 0x00800000,
  ggufType: 0,
  bytes: 4,
  dequantize: dequantizeF32,
  write: (view, at, value) => view.setFloat32(at, value, true),
});

export const f16: WeightFormat = floatFormat({
  name: "f16",
  part: f16Part,
  exponents: 0x7c007c00,
  carry: 0x04000400,
  ggufType: 1,
  bytes: 2,
  dequantize: dequantizeF16,
  write: (view, at, value) => view.setUint16(at, f32ToF16(value), true),
});

export const bf16: WeightFormat = floatFormat({
  name: "bf16",
  part: bf16Part,
  exponents: 0x7f807f80,
  carry: 0x00800080,
  ggufType: 30,
  bytes: 2,
  dequantize: dequantizeBf16,
  write: (view, at, value) => view.setUint16(at, f32ToBf16(value), true),
});
