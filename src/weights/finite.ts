// Looks for weights that are no numbers, and names the type that they are stored as.

import { ShaderloomError } from "../base/errors.ts";
import { ggmlTypeName } from "./gguf/ggml_types.ts";
import type { Float8 } from "./tensor_info.ts";

export interface CheckedValues {
  /** For messages. */
  readonly tensor: string;
  /** As stored, for messages. */
  readonly type: string;
  /** Place of the first value in the tensor. */
  readonly first: number;
}

/** @throws {ShaderloomError} MODEL.values naming the tensor when a value is NaN or infinite */
export function checkFinite(values: Float32Array, { tensor, type, first }: CheckedValues): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let carries = 0;
  // An exponent of all ones, and nothing else, carries into the sign.
  for (let index = 0; index < words.length; index++) carries |= (words[index] & 0x7fffffff) + 0x00800000;
  if (carries >= 0) return;
  const index = values.findIndex((value) => !Number.isFinite(value));
  const message = `The tensor ${tensor} (${type}) has the value ${values[index]} at place ${first + index}. The file is damaged: get it again.`;
  throw new ShaderloomError("MODEL.values", message, { detail: { tensor, type, index: first + index } });
}

/** For messages: GGML's or safetensors' name. */
export function storedTypeName(type: number | Float8): string {
  return typeof type === "number" ? ggmlTypeName(type) : type;
}
