// Cases of the kernel gather_rows.

import type { GatherRowsAttributes } from "../../kernels/gather_rows.ts";
import type { KernelCase } from "../../kernels/kernel.ts";

export const gatherRowsCases: readonly KernelCase<GatherRowsAttributes>[] = [
  { name: "1 of 1", attributes: { cols: 33 }, rows: 1 },
  { name: "1 of 7", attributes: { cols: 256 }, rows: 7 },
  { name: "5 of 33", attributes: { cols: 1031 }, rows: 33, outputRows: 5 },
  { name: "5 of 33 and codes", attributes: { cols: 1031, quantized: "also" }, rows: 33, outputRows: 5 },
  { name: "2 of 7 as codes", attributes: { cols: 172, quantized: "only" }, rows: 7, outputRows: 2 },
];
