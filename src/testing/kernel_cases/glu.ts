// Cases of the kernel glu.

import type { GluAttributes } from "../../kernels/glu.ts";
import type { KernelCase } from "../../kernels/kernel.ts";

export const gluCases: readonly KernelCase<GluAttributes>[] = (["silu", "gelu", "relu"] as const).flatMap((activation) => [
  { name: "1 element", attributes: { cols: 1, activation }, rows: 1 },
  { name: "33x172", attributes: { cols: 172, activation }, rows: 33 },
  { name: "2x2048", attributes: { cols: 2048, activation }, rows: 2 },
  { name: "33x172 and codes", attributes: { cols: 172, activation, quantized: "also" }, rows: 33 },
  { name: "1 element in a stack", attributes: { cols: 1, activation, stacked: { upStart: 8 } }, rows: 1 },
  { name: "33x172 in a stack", attributes: { cols: 172, activation, stacked: { upStart: 176 } }, rows: 33 },
  { name: "8x33 in a stack", attributes: { cols: 33, activation, stacked: { upStart: 40 } }, rows: 8 },
  { name: "2x97 in a stack and codes", attributes: { cols: 97, activation, quantized: "also", stacked: { upStart: 104 } }, rows: 2 },
  { name: "3x1056 in a stack as codes", attributes: { cols: 1056, activation, quantized: "only", stacked: { upStart: 1056 } }, rows: 3 },
  { name: "3x1056 as codes", attributes: { cols: 1056, activation, quantized: "only" }, rows: 3 },
]);
