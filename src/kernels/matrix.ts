// What every kernel over a weight matrix shares: the shader parts and consts of its format, and the product's bindings.

import { assert } from "../base/errors.ts";
import { blockWidth, rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { WeightFormat } from "../formats/format.ts";
import type { Header, ShaderFile } from "../gpu/shader.ts";
import type { Activation } from "./activation.ts";
import { type Ranges, rangesConsts, rangesPart } from "./attention.ts";
import type { KernelBinding, KernelTarget, Variant } from "./kernel.ts";
import { actType, makeHeader, variantKey } from "./target.ts";

/** Two weight rows that make a column of a gated linear unit. */
export interface PairAttributes {
  readonly activation: Activation;
  readonly start: number;
}

/** What it takes to join the ranges of attention_decode. */
export interface RangesAttributes extends Ranges {
  readonly numHeads: number;
  readonly headDim: number;
}

/** Inputs and columns of the product that a geometry is chosen for. */
export interface SharedShape {
  readonly n: number;
  /** Given where those that share it have different ones, too. */
  readonly k?: number;
  /** Whether some that share it have a bias and others none. */
  readonly anyBias?: boolean;
}

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
  /** In the int8 class the inputs are those that `quantize` makes; default `float`. */
  readonly activations?: "float" | "int8";
  /** y = (x / rms(x) * weight of the norm) W^T: vector0 is that weight [k], and the bias, if there is one, the next vector. */
  readonly norm?: { readonly eps: number };
  /** y += r: r is the last input [rows, outCols], whose element (t, outStart + i) is added to y's. */
  readonly residual?: boolean;
  /** y[i] = activation(row i) * row (start + i), i < n: the weight (and a bias) has start + n rows. `start` is a multiple of 8. */
  readonly pair?: PairAttributes;
  /** x is the joined ranges of attention_decode: input0 is its partials, [rows, partialCols] in f32; k is numHeads * headDim. */
  readonly merge?: RangesAttributes;
  /**
   * A second output, [rows, ceil(outCols / 8)] in f32: the largest of every eight columns, of which NaN makes positive infinity. `out` is f32 and
   * `outStart` a multiple of 8.
   */
  readonly best?: boolean;
  /** Products that differ in their columns, and what else this says, run one pipeline: a uniform tells it their shapes. */
  readonly shared?: SharedShape;
}

/** The product that decides how lanes share work. */
export function geometryOf(attributes: LinearAttributes): LinearAttributes {
  const { n, k } = { ...attributes, ...attributes.shared };
  return { ...attributes, n, k };
}

/** Columns of which one number is kept where a product keeps the best. */
export const bestOf = 8;

/** Rows of the weight that a product reads. */
export function weightRows({ n, pair }: LinearAttributes): number {
  return n + (pair?.start ?? 0);
}

/** Shader files that decode a format, `decode32(row, block) -> Block32`. */
export function weightFiles(format: WeightFormat): readonly ShaderFile[] {
  return ["parts/block32.wgsl", { name: `parts/weight/${format.name}.wgsl`, text: format.part }];
}

/** Whether products of bytes are to be had: the adapter multiplies four at a time and the weights are bytes. */
export function canPack(attributes: LinearAttributes, target: KernelTarget): boolean {
  return attributes.activations === "int8" && target.caps.packedDot && attributes.format.packed;
}

/** What a dispatch does beside the product, a word of the key for each. */
function takenAlong({ norm, merge, pair, residual, best, shared }: LinearAttributes): readonly string[] {
  return [
    ...(norm ? ["norm"] : []),
    ...(merge ? ["join"] : []),
    ...(pair ? [pair.activation] : []),
    ...(residual ? ["residual"] : []),
    ...(best ? ["best"] : []),
    ...(shared ? ["shared"] : []),
  ];
}

/** `gemv/q4_k/f32/cpu`, or `gemm/q4_k/int8/64x64/f32/gpu` with quantized activations and a detail. */
function productKey(attributes: LinearAttributes, target: KernelTarget, { name, packed, details }: ProductOptions): string {
  const int8 = attributes.activations === "int8" ? [packed ? "int8_packed" : "int8"] : [];
  return variantKey(target, name, attributes.format.name, ...int8, ...(details ?? []), ...takenAlong(attributes));
}

/** Shader files that read activations and multiply them with weights. */
function dotFiles(attributes: LinearAttributes, { packed, block }: ProductOptions): readonly string[] {
  if (packed) return ["parts/dot/int8_packed.wgsl"];
  const product = "parts/dot/product.wgsl";
  const { activations, norm, merge } = attributes;
  if (activations === "int8") return [product, "parts/dot/int8.wgsl"];
  if (merge) return [product, "parts/dot/ranges.wgsl", rangesPart(merge), `parts/block/${block ?? "named"}.wgsl`];
  if (norm) return [product, "parts/dot/norm.wgsl", `parts/block/${block ?? "named"}.wgsl`];
  return block === "indexed" ? [product, "parts/dot/f32_fours.wgsl", "parts/block/indexed.wgsl"] : [product, "parts/dot/f32.wgsl"];
}

function inputBindings({ activations, norm, merge }: LinearAttributes): readonly KernelBinding[] {
  if (merge) return [{ name: "partials", from: "input0", type: "array<vec4<f32>>", access: "read" }];
  const x = { name: "x", from: "input0", type: "array<vec4<act_t>>", access: "read" } as const;
  if (norm) return [x, { name: "norm_weight", from: "vector0", type: "array<vec4<f32>>", access: "read" }];
  if (activations !== "int8") return [x];
  return [
    { name: "x", from: "input0", type: "array<vec4<u32>>", access: "read" },
    { name: "x_scales", from: "input1", type: "array<f32>", access: "read" },
  ];
}

/** What sums become before they are stored. */
function epilogueFiles({ bias, residual, pair, shared }: LinearAttributes): readonly string[] {
  return [
    "parts/epilogue/store.wgsl",
    `parts/bias/${shared?.anyBias ? "maybe" : bias ? "vector" : "none"}.wgsl`,
    `parts/residual/${residual ? "input" : "none"}.wgsl`,
    ...(pair ? ["parts/gate/pair.wgsl", `parts/activation/${pair.activation}.wgsl`] : ["parts/gate/none.wgsl"]),
  ];
}

/** What is added to sums: bias and residual, each behind the other vectors and inputs. */
function addedBindings({ bias, norm, residual, activations, shared }: LinearAttributes): readonly KernelBinding[] {
  const bindings: KernelBinding[] = [];
  // Something has to be bound where there is no bias; what is read of it is not taken.
  const biasFrom = bias ? (`vector${norm ? 1 : 0}` as const) : "weight0";
  if (bias || shared?.anyBias) bindings.push({ name: "bias", from: biasFrom, type: "array<f32>", access: "read" });
  const from = activations === "int8" ? ("input2" as const) : ("input1" as const);
  if (residual) bindings.push({ name: "residual", from, type: "array<act_t>", access: "read" });
  return bindings;
}

/** Consts that say where a row of x begins, in the units of its bindings. */
function inputConsts({ k, activations, norm, merge }: LinearAttributes): Header["consts"] {
  const stride = rowStride(k);
  if (merge) {
    const { numHeads, headDim } = merge;
    const consts = { HEADS: numHeads, D4: headDim / 4, ...rangesConsts(merge) };
    return { ...consts, PARTIAL_STRIDE: rowStride(numHeads * merge.splits * (headDim + 4)) / 4 };
  }
  if (norm) return { X_STRIDE: stride / 4, NORM_K: k, NORM_EPS: { f32: norm.eps } };
  if (activations !== "int8") return { X_STRIDE: stride / 4 };
  return { X_STRIDE: stride / 16, X_SCALES_STRIDE: rowStride(stride / blockWidth) };
}

/** Consts of the second output. */
function bestConsts({ n, outStart, outCols, out, best }: LinearAttributes): Header["consts"] {
  if (!best) return {};
  assert(out === "f32" && outStart % bestOf === 0, "the best are of f32 columns, eight by eight");
  const stride = rowStride(ceilDiv(outCols, bestOf));
  return { BEST_STRIDE: stride, BEST_TAIL: outStart + n === outCols ? ceilDiv(outCols, bestOf) : stride };
}

/** What variants of a product differ in. */
export interface ProductOptions {
  readonly name: string;
  /** What the key says between the weight's and the activations' types. */
  readonly details?: readonly string[];
  readonly file: string;
  /** Parts that only this file needs. */
  readonly parts?: readonly string[];
  /** WGSL features that only this file needs, and aliases. */
  readonly enables?: readonly string[];
  readonly aliases?: Readonly<Record<string, "f32" | "f16">>;
  /** Multiply bytes, where `canPack` allows it. */
  readonly packed: boolean;
  /** How 32 activations are loaded; default in named registers. */
  readonly block?: "named" | "indexed";
  readonly consts: Header["consts"];
  readonly grid: Variant["grid"];
}

/** Consts that are words of a shared product's shape instead. */
function shapeNames({ format, k, pair, shared }: LinearAttributes): readonly string[] {
  if (!shared) return [];
  const own = ["N", "Y_STRIDE", "OUT_START", "TAIL_START", "GRID_X", "BIASED", ...(pair ? ["SECOND"] : [])];
  return shared.k === undefined ? own : [...own, "BLOCKS", "X_STRIDE", "X_SCALES_STRIDE", "NORM_K", ...Object.keys(format.constants(k))];
}

/** A variant of `linear` from its shader file. */
export function productVariant(attributes: LinearAttributes, target: KernelTarget, options: ProductOptions): Variant {
  const { format, k, n, outStart, outCols, over, out } = attributes;
  assert(outStart + n <= outCols, `rows ${outStart} to ${outStart + n} of ${outCols}`);
  const stride = rowStride(outCols);
  const yType = out === "act" ? actType(target) : "f32";
  const bindings: KernelBinding[] = [
    ...inputBindings(attributes),
    { name: "w", from: "weight0", type: "array<vec4<u32>>", access: "read" },
  ];
  bindings.push(...addedBindings(attributes), { name: "y", from: "output0", type: "array<y_t>", access: "read_write" });
  if (attributes.best) bindings.push({ name: "best", from: "output1", type: "array<u32>", access: "read_write" });
  const consts = {
    N: n,
    BLOCKS: rowStride(k) / blockWidth,
    ...inputConsts(attributes),
    Y_STRIDE: stride,
    OUT_START: outStart,
    TAIL_START: outStart + n === outCols ? outCols : stride,
    OVER_OUTPUT_ROWS: over === "outputRows",
    Y_F16: yType === "f16",
    ...(attributes.shared?.anyBias && { BIASED: attributes.bias ? 1 : 0 }),
    ...bestConsts(attributes),
    ...format.constants(k),
    ...options.consts,
  };
  const shaped = new Set(shapeNames(attributes));
  const [shape, fixed] = [true, false].map((is) => Object.entries(consts).filter(([name]) => shaped.has(name) === is));
  const header = makeHeader(target, Object.fromEntries(fixed), { y_t: yType, ...options.aliases });
  if (shape.length > 0) bindings.push({ name: "shape", from: "shape", type: "Shape", access: "uniform" });
  return {
    key: productKey(attributes, target, options),
    precision: target.precision,
    header: {
      ...header,
      ...(shape.length > 0 && { shape: shape.map(([name]) => name) }),
      enables: [...(header.enables ?? []), ...(options.enables ?? [])],
    },
    files: [options.file, ...(options.parts ?? []), ...dotFiles(attributes, options), ...epilogueFiles(attributes), ...weightFiles(format)],
    bindings,
    ...(shape.length > 0 && { shape: Uint32Array.from(shape, ([, value]) => Number(value)) }),
    usesStep: true,
    grid: options.grid,
  };
}
