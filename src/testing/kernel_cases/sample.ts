// Cases of the kernels sample_tiles and sample_pick: rows of hard logits, each with options of its own.

import type { KernelCase } from "../../kernels/kernel.ts";
import type { SampleAttributes } from "../../kernels/sample_rows.ts";

export const sampleCases: readonly KernelCase<SampleAttributes>[] = [
  { name: "1 of 1", attributes: { cols: 1 }, rows: 1 },
  { name: "9 rows of 7", attributes: { cols: 7 }, rows: 9, outputRows: 9, sequences: "each" },
  { name: "17 rows of 1000", attributes: { cols: 1000 }, rows: 17, outputRows: 17, sequences: "each" },
  { name: "33 rows of 4099", attributes: { cols: 4099 }, rows: 33, outputRows: 33, sequences: "each" },
  { name: "8 rows of 151936", attributes: { cols: 151936 }, rows: 8, outputRows: 8, sequences: "each" },
];
