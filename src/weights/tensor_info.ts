// What a model's files say, whatever their format: metadata and a tensor table by canonical names. Says where bytes are and what they are,
// reads none.

import type { Metadata } from "../base/metadata.ts";
import { ggmlTypes } from "./gguf/ggml_types.ts";

/** What is known of a model before its weights are read. */
export interface ModelHeader {
  /** Keys as in GGUF. */
  readonly metadata: Metadata;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** How RoPE pairs dimensions of these weights, where that is not their architecture's way in GGUF files. */
  readonly pairing?: "half" | "interleaved" | undefined;
}

/** A row of the tensor table. */
export interface TensorInfo {
  /** Canonical, which is GGUF's: `blk.3.attn_q.weight`. */
  readonly name: string;
  /** GGML type id that it is computed with. */
  readonly type: number;
  /** Rows first: [rows, cols] or [cols]; the reverse of GGUF's order. */
  readonly shape: readonly number[];
  /** From the start of the file, or of the address space of all files. */
  readonly offset: number;
  /** As it is stored. */
  readonly bytes: number;
  /** How it is stored, where that is another type: it is converted while it is loaded. */
  readonly stored?: StoredEncoding | undefined;
}

/** Floats of 8 bits, as safetensors calls them. */
export type Float8 = "F8_E4M3" | "F8_E5M2";

/** An encoding that is converted row by row. */
export interface StoredEncoding {
  /** GGML type id, or a type that GGML does not have. */
  readonly type: number | Float8;
  /** Factors of the weights. */
  readonly scales?: WeightScales | undefined;
}

/** A small tensor of factors [rows / blockRows, cols / blockCols], rounded up: one for the whole, for each row or for each square. */
export interface WeightScales {
  readonly name: string;
  /** GGML type id: F32, F16 or BF16. */
  readonly type: number;
  readonly blockRows: number;
  readonly blockCols: number;
  /** Factors of a row of blocks. */
  readonly perRow: number;
  readonly offset: number;
  readonly bytes: number;
}

/** GGML type ids of all that a tensor is made of. */
export function typesOf({ type, stored }: TensorInfo): readonly number[] {
  return [type, stored?.type, stored?.scales?.type].filter((one): one is number => typeof one === "number");
}

/** Bytes of the tensor as it is computed with, packed as in a GGUF file. */
export function packedBytes(tensor: TensorInfo): number {
  if (tensor.stored === undefined) return tensor.bytes;
  const { blockSize, bytesPerBlock } = ggmlTypes[tensor.type];
  return Math.ceil(elementsOf(tensor) / blockSize) * bytesPerBlock;
}

/** Elements of a tensor. */
export function elementsOf({ shape }: Pick<TensorInfo, "shape">): number {
  return shape.reduce((product, size) => product * size, 1);
}
