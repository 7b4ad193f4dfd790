// Cases of the kernel top_k.

import type { KernelCase } from "../../kernels/kernel.ts";
import type { TopKAttributes } from "../../kernels/top_k.ts";

export const topKCases: readonly KernelCase<TopKAttributes>[] = [
  { name: "1 of 1", attributes: { cols: 1, k: 1 }, rows: 1 },
  { name: "5 of 3", attributes: { cols: 3, k: 5 }, rows: 1 },
  { name: "20 of 33 in 8 hard rows", attributes: { cols: 33, k: 20 }, rows: 9, outputRows: 8 },
  { name: "64 of 4099 in 8 hard rows", attributes: { cols: 4099, k: 64 }, rows: 9, outputRows: 8 },
  { name: "40 of 151936", attributes: { cols: 151936, k: 40 }, rows: 3, outputRows: 3 },
];
