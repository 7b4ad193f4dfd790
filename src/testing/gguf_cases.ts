// Content for GGUF files in tests: metadata of every value type, plain tensors.

import type { GgufEntry, GgufTensor } from "./gguf_writer.ts";

/** One entry of each scalar and array type, at the edges of its range. */
export const everyValueType: readonly GgufEntry[] = [
  ["a.u8", "u8", 255],
  ["a.i8", "i8", -128],
  ["a.u16", "u16", 65535],
  ["a.i16", "i16", -32768],
  ["a.u32", "u32", 4294967295],
  ["a.i32", "i32", -2147483648],
  ["a.f32", "f32", 0.5],
  ["a.bool", "bool", true],
  ["a.string", "string", "grüße \u{1f600} \ufeff \0"],
  ["a.u64", "u64", 2 ** 53 - 1],
  ["a.u64.big", "u64", 2n ** 64n - 1n],
  ["a.i64", "i64", -5],
  ["a.i64.big", "i64", -(2n ** 63n)],
  ["a.f64", "f64", 0.1],
  ["b.u8", "u8[]", [0, 255]],
  ["b.i8", "i8[]", [-1, 1]],
  ["b.u16", "u16[]", [65535]],
  ["b.i16", "i16[]", [-32768]],
  ["b.u32", "u32[]", [4294967295]],
  ["b.i32", "i32[]", [-2147483648]],
  ["b.f32", "f32[]", [0.5, -1]],
  ["b.bool", "bool[]", [true, false]],
  ["b.string", "string[]", ["", "ä", "\ufeff", "\ufeffa"]],
  ["b.u64", "u64[]", [1n, 2n ** 60n]],
  ["b.i64", "i64[]", [-1n]],
  ["b.f64", "f64[]", [0.1]],
  ["b.empty", "i32[]", []],
];

/** An f32 tensor of zeros, shape rows first. */
export function f32Tensor(name: string, shape: readonly number[]): GgufTensor {
  return { name, shape, type: 0, data: new Uint8Array(shape.reduce((product, size) => product * size, 4)) };
}
