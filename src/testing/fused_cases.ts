// Cases of products that take something along (norm, joined ranges, gate, residual): every two of weight type, shape, rows, build, variant
// and whatever they take along meet. Runs nothing.

import { alignUp } from "../base/math.ts";
import { f16, f32 } from "../formats/float.ts";
import type { WeightFormat } from "../formats/format.ts";
import { iq2_s } from "../formats/iq2_s.ts";
import { iq4_nl } from "../formats/iq4_nl.ts";
import { q4_0 } from "../formats/q4_0.ts";
import { q4_k } from "../formats/q4_k.ts";
import { q8_0 } from "../formats/q8_0.ts";
import type { Caps } from "../gpu/caps.ts";
import type { KernelCase, KernelTarget } from "../kernels/kernel.ts";
import { linear, type LinearAttributes } from "../kernels/linear.ts";
import { allPairs, type FactorRow } from "./all_pairs.ts";
import { productBuilds } from "./product_factors.ts";

/** A case and the one of its variants that runs. */
export interface FusedCase {
  readonly kernelCase: KernelCase<LinearAttributes>;
  readonly target: KernelTarget;
  readonly variant: string;
}

const formats: readonly WeightFormat[] = [q4_0, q8_0, q4_k, iq2_s, iq4_nl, f16, f32];

/** What products take along. */
const extras = [
  "norm",
  "silu",
  "gelu",
  "norm and silu",
  "ranges",
  "residual",
  "ranges and residual",
  "norm, gelu and residual",
  "relu",
] as const;

/** How far a row is: in the first range, in all of them, and where ranges have grown beyond splits * splitTokens, so that fewer hold it. */
const pasts = [5, 100, 121] as const;

const splits = { splits: 5, splitTokens: 24 } as const;

/** K of a type: three blocks, a prime where blocks are single numbers and heads need not fit. */
function inputsOf({ blockSize }: WeightFormat, joins: boolean): number {
  if (blockSize === 1) return joins ? 84 : 97;
  return 3 * blockSize;
}

/** Heads of odd numbers of vec4, or of whole blocks. */
function headDimOf(k: number, whole: boolean): number {
  if (whole && k % 32 === 0) return 32;
  return k === 84 ? 28 : 12;
}

interface Factors {
  readonly extra: readonly (typeof extras)[number][];
  readonly format: readonly WeightFormat[];
  readonly n: readonly number[];
  readonly maxRows: readonly number[];
  readonly bias: readonly boolean[];
  readonly past: readonly number[];
  readonly [name: string]: readonly unknown[];
}

function attributesOf({
  extra,
  format,
  n,
  bias,
  past,
}: Pick<FactorRow<Factors>, "extra" | "format" | "n" | "bias" | "past">): LinearAttributes {
  const joins = extra.includes("ranges");
  const k = inputsOf(format, joins);
  const headDim = headDimOf(k, bias);
  const activation = (["silu", "gelu", "relu"] as const).find((name) => extra.includes(name));
  // A column before the product's and some behind it belong to others.
  const [outStart, outCols] = past === pasts[1] ? [8, n + 21] : [0, n];
  return {
    format,
    k,
    n,
    bias,
    outStart,
    outCols,
    over: "rows",
    out: "act",
    ...(extra.includes("norm") && { norm: { eps: 1e-5 } }),
    ...(extra.includes("residual") && { residual: true }),
    ...(activation && { pair: { activation, start: alignUp(n, 8) } }),
    ...(joins && { merge: { numHeads: k / headDim, headDim, ...splits } }),
  };
}

/** All pairs that an adapter has a variant for. */
export function fusedCases(caps: Caps): readonly FusedCase[] {
  const factors = {
    build: productBuilds(caps).filter(({ precision }) => precision !== "int8"),
    extra: extras,
    format: formats,
    n: [1, 33, 172, 521],
    maxRows: [1, 3, 8],
    bias: [false, true],
    past: pasts,
    variant: [0, 1, 2, 3, 4],
  };
  const targetOf = ({ build, maxRows }: Pick<FactorRow<typeof factors>, "build" | "maxRows">): KernelTarget => ({
    caps,
    ...build,
    maxRows,
  });
  const rows = allPairs(factors, ({ build, maxRows, extra, format, n = 1, bias = false, past = 5 }) => {
    if (!build || maxRows === undefined || !extra || !format) return true;
    return linear.variants(attributesOf({ extra, format, n, bias, past }), targetOf({ build, maxRows })).length > 0;
  });
  return rows.map((row) => {
    const { extra, format, n, past, variant, maxRows } = row;
    const attributes = attributesOf(row);
    const target = targetOf(row);
    const keys = linear.variants(attributes, target).map(({ key }) => key);
    const name = `${format.name} ${maxRows}x${n}x${attributes.k} with ${extra}${row.bias ? ", bias" : ""} after ${past}`;
    return { kernelCase: { name, attributes, rows: maxRows, pastTokens: past }, target, variant: keys[variant % keys.length] };
  });
}
