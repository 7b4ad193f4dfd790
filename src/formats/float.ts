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
  readonly dequantize: (source: Uint8Array, out: Float32Array) => void;
  readonly write: (view: DataView, at: number, value: number) => void;
}

function floatFormat({ name, ggufType, bytes, part, dequantize, write }: FloatType): WeightFormat {
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
    rowGroupBytes,
    constants: (cols) => ({ [`${name.toUpperCase()}_GROUP`]: rowGroupBytes(cols) / unitBytes }),
    repack(source, span, out) {
      const rowBytes = span.cols * bytes;
      const { source: from, words } = repackViews(source, span.rows * rowBytes, out, groupsOf(span.rows) * rowGroupBytes(span.cols));
      const wholeUnits = Math.floor(rowBytes / unitBytes);
      const out8 = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
      eachRow(span, rowGroupBytes(span.cols), (row, at) => {
        const file = row * rowBytes;
        for (let unit = 0; unit < wholeUnits; unit++) {
          for (let word = 0; word < 4; word++)
            words[at + unit * unitStride + word] = from.getUint32(file + unit * unitBytes + word * 4, true);
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
  ggufType: 0,
  bytes: 4,
  dequantize: dequantizeF32,
  write: (view, at, value) => view.setFloat32(at, value, true),
});

export const f16: WeightFormat = floatFormat({
  name: "f16",
  part: f16Part,
  ggufType: 1,
  bytes: 2,
  dequantize: dequantizeF16,
  write: (view, at, value) => view.setUint16(at, f32ToF16(value), true),
});

export const bf16: WeightFormat = floatFormat({
  name: "bf16",
  part: bf16Part,
  ggufType: 30,
  bytes: 2,
  dequantize: dequantizeBf16,
  write: (view, at, value) => view.setUint16(at, f32ToBf16(value), true),
});
