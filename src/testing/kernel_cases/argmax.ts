// Cases of the kernel argmax.

import type { ArgmaxAttributes } from "../../kernels/argmax.ts";
import type { KernelCase } from "../../kernels/kernel.ts";

export const argmaxCases: readonly KernelCase<ArgmaxAttributes>[] = [
  { name: "1 of 1", attributes: { cols: 1 }, rows: 1 },
  { name: "8 hard rows of 33", attributes: { cols: 33 }, rows: 9, outputRows: 8 },
  { name: "8 hard rows of 4099", attributes: { cols: 4099 }, rows: 9, outputRows: 8 },
  { name: "151936", attributes: { cols: 151936 }, rows: 2, outputRows: 2 },
];
