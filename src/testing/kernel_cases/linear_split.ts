// Cases of the kernel linear_split.

import { bf16, f32 } from "../../formats/float.ts";
import type { KernelCase } from "../../kernels/kernel.ts";
import type { LinearSplitAttributes } from "../../kernels/linear_split.ts";

function caseOf(
  shape: readonly [number, number, number, number],
  more: Partial<LinearSplitAttributes> = {},
): KernelCase<LinearSplitAttributes> {
  const [rows, n, k, splits] = shape;
  const attributes = { format: f32, k, n, splits, over: "rows" as const, ...more };
  const name = `${attributes.format.name} ${rows}x${n}x${k} in ${splits}${more.activations ? ", int8" : ""}`;
  return { name, attributes, rows };
}

export const linearSplitCases: readonly KernelCase<LinearSplitAttributes>[] = [
  caseOf([1, 4, 64, 2]),
  caseOf([1, 36, 1056, 3]),
  caseOf([3, 20, 1000, 4], { format: bf16 }),
  caseOf([8, 36, 290, 2]),
  caseOf([1, 36, 1056, 3], { activations: "int8" }),
  caseOf([5, 20, 500, 2], { activations: "int8" }),
];
