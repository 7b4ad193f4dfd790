// Cases of the kernel glu.

import type { GluAttributes } from "../../kernels/glu.ts";
import type { KernelCase } from "../../kernels/kernel.ts";

export const gluCases: readonly KernelCase<GluAttributes>[] = (["silu", "gelu"] as const).flatMap((activation) => [
  { name: "1 element", attributes: { cols: 1, activation }, rows: 1 },
  { name: "33x172", attributes: { cols: 172, activation }, rows: 33 },
  { name: "2x2048", attributes: { cols: 2048, activation }, rows: 2 },
  { name: "33x172 and codes", attributes: { cols: 172, activation, quantized: "also" }, rows: 33 },
  { name: "3x1056 as codes", attributes: { cols: 1056, activation, quantized: "only" }, rows: 3 },
]);
