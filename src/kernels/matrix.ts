// What every kernel over a weight matrix shares: the shader parts and consts of its format, and the product's bindings.

import { assert } from "../base/errors.ts";
import { blockWidth, rowStride } from "../base/layout.ts";
import type { WeightFormat } from "../formats/format.ts";
import type { Header } from "../gpu/shader.ts";
import type { KernelBinding, KernelTarget, Variant } from "./kernel.ts";
import { actType, makeHeader } from "./target.ts";

/** Shapes of a product; see linear.ts for the formula. */
export interface LinearAttributes {
  readonly format: WeightFormat;
  /** Inputs of each row. */
  readonly k: number;
  /** Weight rows. */
  readonly n: number;
  readonly bias: boolean;
  /** Where these rows go in the output: more than 0 when a tensor is split. */
  readonly outStart: number;
  /** Columns of the output. */
  readonly outCols: number;
  readonly over: "rows" | "outputRows";
  readonly out: "act" | "f32";
}

/** Shader files that decode a format, `decode32(row, block) -> Block32`. */
export function weightFiles(format: WeightFormat): readonly string[] {
  return ["parts/weight/block.wgsl", `parts/weight/${format.name}.wgsl`];
}

/** What variants of a product differ in. */
export interface ProductOptions {
  readonly key: string;
  readonly file: string;
  readonly consts: Header["consts"];
  readonly grid: Variant["grid"];
}

/** A variant of `linear` from its shader file. */
export function productVariant(attributes: LinearAttributes, target: KernelTarget, options: ProductOptions): Variant {
  const { format, k, n, bias, outStart, outCols, over, out } = attributes;
  assert(outStart + n <= outCols, `rows ${outStart} to ${outStart + n} of ${outCols}`);
  const stride = rowStride(outCols);
  const bindings: KernelBinding[] = [
    { name: "x", from: "input0", type: "array<vec4<act_t>>", access: "read" },
    { name: "w", from: "weight0", type: "array<vec4<u32>>", access: "read" },
  ];
  if (bias) bindings.push({ name: "bias", from: "vector0", type: "array<f32>", access: "read" });
  bindings.push({ name: "y", from: "output0", type: "array<y_t>", access: "read_write" });
  const consts = {
    N: n,
    BLOCKS: rowStride(k) / blockWidth,
    X_STRIDE: rowStride(k) / 4,
    Y_STRIDE: stride,
    OUT_START: outStart,
    TAIL_START: outStart + n === outCols ? outCols : stride,
    OVER_OUTPUT_ROWS: over === "outputRows",
    ...format.constants(k),
    ...options.consts,
  };
  return {
    key: options.key,
    precision: target.precision,
    header: makeHeader(target, consts, { y_t: out === "act" ? actType(target) : "f32" }),
    files: [options.file, "parts/dot/f32.wgsl", `parts/epilogue/${bias ? "bias" : "store"}.wgsl`, ...weightFiles(format)],
    bindings,
    usesStep: true,
    grid: options.grid,
  };
}
