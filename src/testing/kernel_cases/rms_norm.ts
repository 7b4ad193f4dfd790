// Cases of the kernel rms_norm.

import type { KernelCase } from "../../kernels/kernel.ts";
import type { RmsNormAttributes } from "../../kernels/rms_norm.ts";

export const rmsNormCases: readonly KernelCase<RmsNormAttributes>[] = [
  { name: "1 element", attributes: { cols: 1, groups: 1, eps: 1e-5 }, rows: 1 },
  { name: "33x33", attributes: { cols: 33, groups: 1, eps: 1e-5 }, rows: 33 },
  { name: "3x1031", attributes: { cols: 1031, groups: 1, eps: 1e-6 }, rows: 3 },
  { name: "2x4096", attributes: { cols: 4096, groups: 1, eps: 1e-6 }, rows: 2 },
  { name: "5x3 heads of 12", attributes: { cols: 12, groups: 3, eps: 1e-6 }, rows: 5 },
  { name: "2x16 heads of 128", attributes: { cols: 128, groups: 16, eps: 1e-6 }, rows: 2 },
  { name: "3 output rows of 7", attributes: { cols: 258, groups: 1, eps: 1e-6, over: "outputRows" }, rows: 7, outputRows: 3 },
  { name: "33x33 and codes", attributes: { cols: 33, groups: 1, eps: 1e-5, quantized: "also" }, rows: 33 },
  { name: "3x1031 and codes", attributes: { cols: 1031, groups: 1, eps: 1e-6, quantized: "also" }, rows: 3 },
  { name: "1x4096 as codes", attributes: { cols: 4096, groups: 1, eps: 1e-6, quantized: "only" }, rows: 1 },
  {
    name: "3 output rows of 7 as codes",
    attributes: { cols: 258, groups: 1, eps: 1e-6, over: "outputRows", quantized: "only" },
    rows: 7,
    outputRows: 3,
  },
];
