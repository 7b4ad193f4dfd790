// Cases of the kernel add.

import type { AddAttributes } from "../../kernels/add.ts";
import type { KernelCase } from "../../kernels/kernel.ts";

export const addCases: readonly KernelCase<AddAttributes>[] = [
  { name: "1 element", attributes: { cols: 1 }, rows: 1 },
  { name: "33x33", attributes: { cols: 33 }, rows: 33 },
  { name: "3x1031", attributes: { cols: 1031 }, rows: 3 },
  { name: "2x4096", attributes: { cols: 4096 }, rows: 2 },
];
