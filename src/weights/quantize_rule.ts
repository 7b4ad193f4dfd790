// What weights are computed with, which may be another type than they are stored as: asked for, or because the GPU has none for it.
// Decides only; convert.ts does it.

import { elementsOf } from "./tensor_info.ts";
import type { Float8, ModelHeader, TensorInfo } from "./tensor_info.ts";

/** Types that weights can be quantized to. */
export const quantizeTypes = ["q8_0", "q4_0", "q4_k"] as const;
export type QuantizeType = (typeof quantizeTypes)[number];

const F32 = 0;
const F16 = 1;
const Q4_0 = 2;
const Q8_0 = 8;
const Q4_K = 12;
const BF16 = 30;

/** From what is asked for to what rows of another length fall back to: GGML type ids and block sizes. */
const candidates: Readonly<Record<QuantizeType, ReadonlyArray<readonly [type: number, blockSize: number]>>> = {
  q8_0: [[Q8_0, 32]],
  q4_0: [[Q4_0, 32]],
  q4_k: [
    [Q4_K, 256],
    [Q4_0, 32],
  ],
};

const floats: ReadonlySet<number | Float8> = new Set([F32, F16, BF16]);

/** Embedding and head: errors there reach every token, so that 4 bits are too few. */
const outermost: ReadonlySet<string> = new Set(["token_embd.weight", "output.weight"]);

/** What is known of a tensor's weights. */
export interface StoredWeights {
  /** Canonical. */
  readonly name: string;
  readonly shape: readonly number[];
  /** A GGML type id or a type that GGML does not have. */
  readonly dtype: number | Float8;
}

/**
 * The GGML type that a tensor is computed with. Float matrices become what is wanted where their rows fill its blocks; those of 8 bits, for
 * which there is no kernel, Q8_0 otherwise, as int8 is the default 8-bit type. Vectors keep all their bits, quantized weights stay as they
 * are: another quantization would only lose.
 */
export function gpuType({ name, shape, dtype }: StoredWeights, wanted: QuantizeType | undefined): number {
  const asStored = typeof dtype === "number" ? dtype : F32;
  if (shape.length !== 2 || shape.includes(0)) return asStored;
  if (typeof dtype === "number" && (wanted === undefined || !floats.has(dtype))) return dtype;
  const type = wanted === undefined || outermost.has(name) ? "q8_0" : wanted;
  return candidates[type].find(([, blockSize]) => shape[1] % blockSize === 0)?.[0] ?? asStored;
}

/** The same model, its tensors marked for conversion by `gpuType`. */
export function quantizedHeader<Header extends ModelHeader>(header: Header, wanted: QuantizeType | undefined): Header {
  if (wanted === undefined) return header;
  const tensors = new Map([...header.tensors].map(([name, tensor]) => [name, quantizedTensor(tensor, wanted)] as const));
  return { ...header, tensors };
}

function quantizedTensor(tensor: TensorInfo, wanted: QuantizeType): TensorInfo {
  const stored = tensor.stored ?? { type: tensor.type };
  const type = gpuType({ name: tensor.name, shape: tensor.shape, dtype: stored.type }, wanted);
  return type === tensor.type || elementsOf(tensor) === 0 ? tensor : { ...tensor, type, stored };
}
