// Activations as signed bytes, for the int8 class: their shapes, what they stand for, and what kernels share that leave their rows
// as codes instead of numbers. Each row is cut into blocks of 32; parts/codes says how one is quantized.

import { blockWidth, rowStride } from "../base/layout.ts";
import type { InputSpec, KernelBinding, KernelTarget, OutputSpec } from "./kernel.ts";

/** What a kernel makes of its rows: codes `also`, or codes `only`; absent, just the rows. For the int8 class. */
export type Quantized = "also" | "only";

/** Rows that a kernel makes. */
export interface RowsSpec {
  readonly cols: number;
  readonly over: "rows" | "outputRows";
  readonly quantized?: Quantized | undefined;
}

/** Shapes of codes, four bytes to a word, and of their scales, one for each block. */
export function quantizedSpecs({ cols, over }: RowsSpec): readonly [OutputSpec & InputSpec, OutputSpec & InputSpec] {
  const stride = rowStride(cols);
  return [
    { rows: over, cols: stride / 4, type: "u32", codes: true },
    { rows: over, cols: stride / blockWidth, type: "f32" },
  ];
}

/** The outputs of a kernel: its rows, then codes and scales, as far as it makes them. */
export function rowOutputs(spec: RowsSpec): readonly OutputSpec[] {
  const { cols, over, quantized } = spec;
  const rows: readonly OutputSpec[] = quantized === "only" ? [] : [{ rows: over, cols, type: "act" }];
  return quantized === undefined ? rows : [...rows, ...quantizedSpecs(spec)];
}

/** Bindings of `rowOutputs`. */
export function rowBindings(quantized: Quantized | undefined): readonly KernelBinding[] {
  const declared: Omit<KernelBinding, "from">[] = [];
  if (quantized !== "only") declared.push({ name: "y", type: "array<vec4<act_t>>", access: "read_write" });
  if (quantized !== undefined) {
    declared.push(
      { name: "codes", type: "array<u32>", access: "read_write" },
      { name: "scales", type: "array<u32>", access: "read_write" },
    );
  }
  return declared.map((binding, index) => ({ ...binding, from: `output${index}` }));
}

/** Consts of the parts that store rows: STRIDE in vec4, and that of scales. */
export function rowConsts({ cols, quantized }: RowsSpec): Record<string, number> {
  const stride = rowStride(cols);
  return { STRIDE: stride / 4, ...(quantized && { SCALES_STRIDE: rowStride(stride / blockWidth) }) };
}

/** Threads along a row of kernels that make each vec4 by itself: one for each, or for each block. */
export function rowThreads({ cols, quantized }: RowsSpec, target: KernelTarget): number {
  const stride = rowStride(cols);
  return quantized && target.deviceClass === "cpu" ? rowStride(stride / blockWidth) : stride / 4;
}

/** What stores a vec4 that a lane made. */
export function fourFiles(quantized: Quantized | undefined): readonly string[] {
  return quantized ? ["parts/fours/codes.wgsl", ...codeFiles(quantized)] : ["parts/fours/store.wgsl"];
}

/** What stores a block that a thread of a CPU driver made. */
export function blockFiles(quantized: Quantized): readonly string[] {
  return ["parts/codes/thread.wgsl", ...codeFiles(quantized)];
}

/** The entry point of kernels that make each vec4 by itself. */
export function rowFiles(quantized: Quantized | undefined, target: KernelTarget): readonly string[] {
  if (quantized && target.deviceClass === "cpu") return ["parts/rows/blocks.wgsl", ...blockFiles(quantized)];
  return ["parts/rows/fours.wgsl", ...fourFiles(quantized)];
}

function codeFiles(quantized: Quantized): readonly string[] {
  return ["parts/codes/bytes.wgsl", quantized === "also" ? "parts/keep/store.wgsl" : "parts/keep/drop.wgsl"];
}

/** What a variant's key says of its codes. */
export function codesKey(quantized: Quantized | undefined): readonly string[] {
  if (quantized === undefined) return [];
  return [quantized === "also" ? "and_int8" : "int8"];
}

/** Whether a target has variants that leave rows as codes. */
export function takesCodes(target: KernelTarget, quantized: Quantized | undefined): boolean {
  return quantized === undefined || target.precision === "int8";
}
