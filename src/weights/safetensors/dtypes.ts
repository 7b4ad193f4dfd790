// The types of safetensors by name: bits of an element, and what this engine computes them with.
// Facts: github.com/huggingface/safetensors, safetensors/src/tensor.rs.

import type { Float8 } from "../tensor_info.ts";

/** Bits of an element, for every type that the format has. */
export const dtypeBits: ReadonlyMap<string, number> = new Map([
  ["BOOL", 8],
  ["F4", 4],
  ["F6_E2M3", 6],
  ["F6_E3M2", 6],
  ["U8", 8],
  ["I8", 8],
  ["F8_E5M2", 8],
  ["F8_E4M3", 8],
  ["F8_E8M0", 8],
  ["F8_E4M3FNUZ", 8],
  ["F8_E5M2FNUZ", 8],
  ["I16", 16],
  ["U16", 16],
  ["F16", 16],
  ["BF16", 16],
  ["I32", 32],
  ["U32", 32],
  ["F32", 32],
  ["C64", 64],
  ["F64", 64],
  ["I64", 64],
  ["U64", 64],
]);

/** GGML type ids of those that weights can be computed with as they are. */
const ggmlTypes: ReadonlyMap<string, number> = new Map([
  ["F32", 0],
  ["F16", 1],
  ["BF16", 30],
]);

/** What weights of a dtype are: a GGML type id, a float of 8 bits; undefined for types that are no weights here. */
export function encodingOf(dtype: string): number | Float8 | undefined {
  return dtype === "F8_E4M3" || dtype === "F8_E5M2" ? dtype : ggmlTypes.get(dtype);
}
