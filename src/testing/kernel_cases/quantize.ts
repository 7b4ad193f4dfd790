// Cases of the kernel quantize.

import type { KernelCase } from "../../kernels/kernel.ts";
import type { QuantizeAttributes } from "../../kernels/quantize.ts";

function caseOf(name: string, rows: number, attributes: QuantizeAttributes): KernelCase<QuantizeAttributes> {
  return attributes.over === "rows" ? { name, rows, attributes } : { name, rows: 11, outputRows: rows, attributes };
}

export const quantizeCases: readonly KernelCase<QuantizeAttributes>[] = [
  caseOf("1 element", 1, { cols: 1, over: "rows" }),
  caseOf("33x33", 33, { cols: 33, over: "rows" }),
  caseOf("3x1031", 3, { cols: 1031, over: "rows" }),
  caseOf("5x4096 output rows", 5, { cols: 4096, over: "outputRows" }),
];
