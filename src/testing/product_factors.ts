// What products are tested with: the factors of a case, which values meet, and the variant that a row of values stands for. All pairs for
// `npm test`; every variant on every shape for `npm run gpu`.

import type { WeightFormat } from "../formats/format.ts";
import type { Caps, DeviceClass } from "../gpu/caps.ts";
import { embed } from "../kernels/embed.ts";
import type { KernelTarget, Precision, Variant } from "../kernels/kernel.ts";
import { linear } from "../kernels/linear.ts";
import { allPairs, type FactorRow } from "./all_pairs.ts";
import { formats } from "./formats.ts";
import { weightKinds } from "./product_reference.ts";
import type { ProductCase } from "./product_run.ts";

/** The first word of a variant's key; `embed` is a kernel of its own. */
export type ProductFamily = "gemv" | "skinny" | "gemm" | "gemv_lut" | "embed";

export const productFamilies: readonly ProductFamily[] = ["gemv", "skinny", "gemm", "gemv_lut", "embed"];

export interface ProductBuild {
  readonly deviceClass: DeviceClass;
  readonly precision: Precision;
}

/** Inputs of a row: the least a format has, some, and a long sum; none a multiple of more than the format's blocks demand. */
export const inputLengths = ["short", "some", "long"] as const;

/** K of a format. */
export function inputsOf({ blockSize }: WeightFormat, length: (typeof inputLengths)[number]): number {
  if (blockSize === 1) return { short: 1, some: 100, long: 4097 }[length];
  return { short: blockSize, some: 3 * blockSize, long: 4096 + blockSize }[length];
}

/** Bounds of rows that products are compiled for, on both sides of what a kernel takes at once. */
const tiers: readonly number[] = [1, 4, 8, 16, 32, 67];

const outputs: readonly number[] = [1, 7, 33, 131, 1031];

/** Multiply-adds of a case, which JavaScript repeats in float64. */
const mostMacs = 6e6;

/** All builds that an adapter has. */
export function productBuilds(caps: Caps): readonly ProductBuild[] {
  const precisions: readonly Precision[] = caps.f16 ? ["f32", "f16", "int8"] : ["f32", "int8"];
  return (["cpu", "gpu"] as const).flatMap((deviceClass) => precisions.map((precision) => ({ deviceClass, precision })));
}

/** A case before a variant is chosen. */
export interface ProductChoice {
  readonly build: ProductBuild;
  readonly family: ProductFamily;
  readonly maxRows: number;
  readonly n: number;
  readonly length: (typeof inputLengths)[number];
  readonly format: WeightFormat;
  readonly bias: boolean;
  readonly out: "act" | "f32";
}

/**
 * Whether GPU programs take the loops that software drivers are given. lavapipe takes ten seconds to compile those that GPUs are, SwiftShader
 * takes no longer.
 */
function rolled({ software, description }: Caps, { deviceClass }: ProductBuild): boolean {
  return software && (deviceClass === "cpu" || /llvmpipe/i.test(description));
}

/** The variants of a family that a program could run. */
export function familyVariants(
  caps: Caps,
  choice: ProductChoice,
): { readonly target: KernelTarget; readonly variants: readonly Variant[] } {
  const { build, family, maxRows, n, length, format, bias, out } = choice;
  const target = { caps: { ...caps, software: rolled(caps, build) }, ...build, maxRows };
  const k = inputsOf(format, length);
  // Embeddings of the int8 class are those of the f32 class.
  if (family === "embed") {
    const variants = build.precision === "int8" ? [] : embed.variants({ format, cols: k, rowStart: 0, rowCount: n }, target);
    return { target, variants };
  }
  const activations = build.precision === "int8" ? "int8" : "float";
  const variants = linear.variants({ format, k, n, bias, outStart: 0, outCols: n, over: "rows", out, activations }, target);
  return { target, variants: variants.filter(({ key }) => key.startsWith(`${family}/`)) };
}

/** The case of a choice and one of its variants. */
export function productCase(
  choice: ProductChoice,
  { target, variant, kind }: Pick<ProductCase, "target" | "variant" | "kind">,
): ProductCase {
  const { family, n, length, format, bias, out } = choice;
  return { operation: family === "embed" ? "embed" : "linear", format, n, k: inputsOf(format, length), bias, out, kind, target, variant };
}

function cheap({ n, length, format, maxRows }: Pick<ProductChoice, "n" | "length" | "format" | "maxRows">): boolean {
  return n * inputsOf(format, length) * maxRows <= mostMacs;
}

/** Whether a matrix has weights other than zero. */
function telling(n: number, kind: number): boolean {
  return n > 1 || weightKinds[kind] !== "zero";
}

/** Cases in which every two values of different factors meet that can. */
export function pairedCases(caps: Caps): readonly ProductCase[] {
  const factors = {
    build: productBuilds(caps),
    family: productFamilies,
    maxRows: tiers,
    n: outputs,
    length: inputLengths,
    format: formats,
    /** Which of the family's variants, as far as it has so many. */
    variant: [0, 1, 2, 3, 4, 5, 6],
    kind: weightKinds.map((_, index) => index),
    bias: [false, true],
    out: ["act", "f32"] as const,
  };
  const found = new Map<string, boolean>();
  const allowed = (row: Partial<FactorRow<typeof factors>>): boolean => {
    const { build, family, maxRows, n, length, format, kind } = row;
    if (kind !== undefined && n !== undefined && !telling(n, kind)) return false;
    if (n !== undefined && length !== undefined && format && maxRows !== undefined && !cheap({ n, length, format, maxRows })) return false;
    if (!build || !family || maxRows === undefined || n === undefined || length === undefined || !format) return true;
    const key = [build.deviceClass, build.precision, family, maxRows, n, length, format.name].join();
    const known =
      found.get(key) ?? familyVariants(caps, { build, family, maxRows, n, length, format, bias: false, out: "act" }).variants.length > 0;
    found.set(key, known);
    return known;
  };
  return allPairs(factors, allowed).map(({ variant, kind, ...choice }) => {
    const { target, variants } = familyVariants(caps, choice);
    return productCase(choice, { target, variant: variants[variant % variants.length], kind });
  });
}

/** Shapes of the full product, as [n, length of rows]. */
const fullShapes = [
  [1, "some"],
  [7, "long"],
  [33, "short"],
  [131, "some"],
  [1031, "short"],
] as const;

/** Every variant that a program could run with a weight type, on every shape; tiers, biases and kinds take turns. */
export function fullCases(caps: Caps, format: WeightFormat, build: ProductBuild): readonly ProductCase[] {
  const cases = new Map<string, ProductCase>();
  for (const [index, [n, length]] of fullShapes.entries()) {
    // Whatever has the same key for several bounds of rows takes the first that comes.
    const turned = [...tiers.slice(index + 1), ...tiers.slice(0, index + 1)];
    for (const maxRows of turned.filter((rows) => cheap({ n, length, format, maxRows: rows }))) {
      for (const family of productFamilies) {
        const turn = index + cases.size;
        const kind = telling(n, turn % weightKinds.length) ? turn % weightKinds.length : 0;
        const choice = { build, family, maxRows, n, length, format, bias: turn % 2 === 0, out: turn % 3 === 0 ? "f32" : "act" } as const;
        const { target, variants } = familyVariants(caps, choice);
        for (const variant of variants) {
          const key = `${n} ${variant.key}`;
          if (!cases.has(key)) cases.set(key, productCase(choice, { target, variant, kind }));
        }
      }
    }
  }
  return [...cases.values()];
}
