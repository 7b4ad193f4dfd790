// The list of weight formats. A GGUF tensor of a type that is not here is refused by name.

import { bf16, f16, f32 } from "./float.ts";
import type { WeightFormat } from "./format.ts";
import { q4_0 } from "./q4_0.ts";
import { q4_k } from "./q4_k.ts";
import { q6_k } from "./q6_k.ts";
import { q8_0 } from "./q8_0.ts";

export const formats: readonly WeightFormat[] = [f32, f16, bf16, q8_0, q4_0, q4_k, q6_k];

/** By GGML type id. */
export const formatByGgufType: ReadonlyMap<number, WeightFormat> = new Map(formats.map((format) => [format.ggufType, format]));
