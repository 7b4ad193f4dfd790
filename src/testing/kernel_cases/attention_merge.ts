// Cases of the kernel attention_merge.

import type { MergeAttributes } from "../../kernels/attention_merge.ts";
import type { Quantized } from "../../kernels/codes.ts";
import type { KernelCase } from "../../kernels/kernel.ts";
import { rangeCases } from "./attention_decode.ts";

/** A case of `attention_decode` that leaves codes. */
function withCodes(index: number, quantized: Quantized): KernelCase<MergeAttributes> {
  const { name, attributes, ...rest } = rangeCases[index];
  return { ...rest, name: `${name}, codes ${quantized}`, attributes: { ...attributes, quantized } };
}

export const attentionMergeCases: readonly KernelCase<MergeAttributes>[] = [
  ...rangeCases,
  withCodes(1, "only"),
  withCodes(2, "only"),
  withCodes(4, "also"),
  withCodes(6, "also"),
];
