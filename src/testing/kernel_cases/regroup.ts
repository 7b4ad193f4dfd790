// Cases of the kernel regroup.

import type { KernelCase } from "../../kernels/kernel.ts";
import type { RegroupAttributes } from "../../kernels/regroup.ts";

export const regroupCases: readonly KernelCase<RegroupAttributes>[] = [
  { name: "1 token, 2 heads of 8", attributes: { heads: 2, numKvHeads: 2, headDim: 8 }, rows: 1 },
  { name: "33 tokens, 7 heads of 80 in one group", attributes: { heads: 7, numKvHeads: 1, headDim: 80 }, rows: 33 },
  { name: "3 tokens, 4 heads of 20 in two groups", attributes: { heads: 4, numKvHeads: 2, headDim: 20 }, rows: 3 },
];
