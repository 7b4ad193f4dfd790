// The plain weight types: F32, F16 and BF16. A unit holds 4 (f32) or 8 consecutive weights of a row, in file order.

import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../base/dtype.ts";
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
  readonly read: (view: DataView, at: number) => number;
  readonly write: (view: DataView, at: number, value: number) => void;
}

function floatFormat({ name, ggufType, bytes, part, read, write }: FloatType): WeightFormat {
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
    dequantize(source, out) {
      const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
      for (let index = 0; index < out.length; index++) out[index] = read(view, index * bytes);
    },
    quantize,
    sample: (rng, blocks) => Uint8Array.from(quantize(Float32Array.from({ length: blocks }, () => rng.normal() * 0.05))),
  };
}

export const f32: WeightFormat = floatFormat({
  name: "f32",
  part: f32Part,
  ggufType: 0,
  bytes: 4,
  read: (view, at) => view.getFloat32(at, true),
  write: (view, at, value) => view.setFloat32(at, value, true),
});

export const f16: WeightFormat = floatFormat({
  name: "f16",
  part: f16Part,
  ggufType: 1,
  bytes: 2,
  read: (view, at) => f16ToF32(view.getUint16(at, true)),
  write: (view, at, value) => view.setUint16(at, f32ToF16(value), true),
});

export const bf16: WeightFormat = floatFormat({
  name: "bf16",
  part: bf16Part,
  ggufType: 30,
  bytes: 2,
  read: (view, at) => bf16ToF32(view.getUint16(at, true)),
  write: (view, at, value) => view.setUint16(at, f32ToBf16(value), true),
});
