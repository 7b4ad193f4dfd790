// Cases of the kernel advance.

import type { AdvanceAttributes } from "../../kernels/advance.ts";
import type { KernelCase } from "../../kernels/kernel.ts";

export const advanceCases: readonly KernelCase<AdvanceAttributes>[] = [
  { name: "1 row", attributes: { rows: 1 }, rows: 1 },
  { name: "1 row again", attributes: { rows: 1 }, rows: 1 },
  { name: "1 of 2 rows", attributes: { rows: 1 }, rows: 2 },
  { name: "last of 5 rows", attributes: { rows: 1 }, rows: 5, pastTokens: 9 },
  { name: "33 sequences", attributes: { rows: 33 }, rows: 33, outputRows: 33, pastTokens: 40, sequences: "each" },
];
