// What a matrix becomes that is quantized while it is loaded. Decides only; convert.ts does it.

import { elementsOf } from "./tensor_info.ts";
import type { ModelHeader, TensorInfo } from "./tensor_info.ts";

/** Types that weights can be quantized to. */
export const quantizeTypes = ["q8_0", "q4_0", "q4_k"] as const;
export type QuantizeType = (typeof quantizeTypes)[number];

/** GGML type ids and block sizes, from what is asked for to what a row of another length falls back to. */
const fallbacks: Readonly<Record<QuantizeType, ReadonlyArray<readonly [type: number, blockSize: number]>>> = {
  q8_0: [[8, 32]],
  q4_0: [[2, 32]],
  q4_k: [
    [12, 256],
    [8, 32],
  ],
};

/** F32, F16, BF16: quantized weights are left as they are, as another quantization would only lose. */
const floats: ReadonlySet<number> = new Set([0, 1, 30]);

/** The same model, its float matrices marked for conversion. Vectors, and rows that fill no blocks, stay. */
export function quantizedHeader<Header extends ModelHeader>(header: Header, wanted: QuantizeType | undefined): Header {
  if (wanted === undefined) return header;
  const tensors = new Map([...header.tensors].map(([name, tensor]) => [name, quantizedTensor(tensor, wanted)] as const));
  return { ...header, tensors };
}

function quantizedTensor(tensor: TensorInfo, wanted: QuantizeType): TensorInfo {
  const { shape, stored } = tensor;
  const source = stored ?? { type: tensor.type };
  const isFloat = typeof source.type === "string" || floats.has(source.type);
  if (shape.length !== 2 || !isFloat || elementsOf(tensor) === 0) return tensor;
  const fitting = fallbacks[wanted].find(([, blockSize]) => shape[1] % blockSize === 0);
  return fitting === undefined ? tensor : { ...tensor, type: fitting[0], stored: source };
}
