// Cases of the kernel linear_merge.

import type { KernelCase } from "../../kernels/kernel.ts";
import type { LinearMergeAttributes } from "../../kernels/linear_merge.ts";

export const linearMergeCases: readonly KernelCase<LinearMergeAttributes>[] = [
  { name: "1x4 of 2", attributes: { cols: 4, splits: 2, bias: false, over: "rows" }, rows: 1 },
  { name: "3x260 of 5, bias", attributes: { cols: 260, splits: 5, bias: true, over: "rows" }, rows: 3 },
  { name: "2 output rows x 512 of 8", attributes: { cols: 512, splits: 8, bias: false, over: "outputRows" }, rows: 5, outputRows: 2 },
  { name: "3x260 of 5, bias, and codes", attributes: { cols: 260, splits: 5, bias: true, over: "rows", quantized: "also" }, rows: 3 },
];
