// Products of 1 to 256 activation rows: which family of kernels is the fastest and which one the dispatcher takes; what more columns
// cost a matvec; and whether looking sums up beats converting weights of few bits.

import type { WeightFormat } from "../src/formats/format.ts";
import type { Caps } from "../src/gpu/caps.ts";
import type { KernelTarget, Precision, Variant } from "../src/kernels/kernel.ts";
import { gemmVariants } from "../src/kernels/gemm.ts";
import { gemvVariants } from "../src/kernels/gemv.ts";
import { lutVariants } from "../src/kernels/gemv_lut.ts";
import { linear } from "../src/kernels/linear.ts";
import type { LinearAttributes } from "../src/kernels/matrix.ts";
import { type Family, productOrder, rowTiers } from "../src/kernels/product_order.ts";
import { skinnyVariants } from "../src/kernels/skinny.ts";
import type { TimingOptions } from "./measure.ts";
import { StepOperands } from "./operands.ts";
import { type Arena, fastest, type RivalTime, timeRivals } from "./rivals.ts";

/** A matrix [n, k] in a format, and what multiplies it. */
export interface ProductSpec {
  readonly format: WeightFormat;
  readonly n: number;
  readonly k: number;
  readonly precision: Precision;
}

interface ProductName {
  readonly type: string;
  readonly shape: string;
  readonly precision: Precision;
}

export interface FamilyTime {
  readonly family: Family;
  /** Of its fastest right variant. */
  readonly ms: number;
  readonly key: string;
}

export interface DispatchRow extends ProductName {
  readonly rows: number;
  /** Rows that the pipelines were compiled for. */
  readonly tier: number;
  readonly families: readonly FamilyTime[];
  /** What the dispatcher foretells to be the fastest. */
  readonly picked: Family;
  /** Families that it lets race; the picked one is among them. */
  readonly offered: readonly Family[];
  /** Time of the fastest family over that of the picked one; 1 is the best. */
  readonly share: number;
  /** The same of the fastest one that is offered. */
  readonly raced: number;
  readonly faults: readonly string[];
}

export interface ColumnsRow extends ProductName {
  /** Milliseconds for 1, 2, ... columns. */
  readonly ms: readonly number[];
  /** Each over the first. */
  readonly relative: readonly number[];
}

export interface LutRow extends ProductName {
  /** Bits of the codes. */
  readonly codeBits: number;
  /** Bits of a weight in the file, scales included. */
  readonly bits: number;
  readonly lutMs: number;
  readonly dequantMs: number;
  /** Time of the fastest converting variant over that of the lookups. */
  readonly ratio: number;
}

export interface ByRows {
  readonly arena: Arena;
  readonly caps: Caps;
  readonly timing: TimingOptions;
}

/** Rows of the step of the dispatcher's table. */
export const batches: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 256];

/** Whether a variant looks sums up. */
export function isLut(key: string): boolean {
  return /(^|[/_])lut([/_]|$)/.test(key);
}

/** The smallest tier that holds that many rows: of a program that decodes several sequences, or of one that reads prompts. */
export function tierFor(target: KernelTarget, rows: number): number {
  const maxRows = rows <= 8 ? 8 : Math.max(256, rows);
  return rowTiers({ ...target, maxRows }).find((tier) => tier >= rows) ?? rows;
}

const families: Readonly<Record<Family, (attributes: LinearAttributes, target: KernelTarget) => readonly Variant[]>> = {
  gemv: gemvVariants,
  skinny: skinnyVariants,
  gemm: gemmVariants,
};

/** What a program of that target could run. */
function offeredBy(attributes: LinearAttributes, target: KernelTarget): readonly Variant[] {
  return linear.variants(attributes, target);
}

/** The same and lookups, whether or not programs race them. */
function withLookups(attributes: LinearAttributes, target: KernelTarget): readonly Variant[] {
  const offered = offeredBy(attributes, target);
  return [...offered, ...lutVariants(attributes, target).filter(({ key }) => !offered.some((variant) => variant.key === key))];
}

function attributesOf({ format, n, k, precision }: ProductSpec): LinearAttributes {
  const activations = precision === "int8" ? "int8" : "float";
  return { format, k, n, bias: false, outStart: 0, outCols: n, over: "rows", out: "act", activations };
}

function nameOf({ format, n, k, precision }: ProductSpec): ProductName {
  return { type: format.name, shape: `${n} x ${k}`, precision };
}

function targetOf(caps: Caps, precision: Precision, rows: number): KernelTarget {
  const target = { caps, deviceClass: caps.deviceClass, precision, maxRows: rows };
  return { ...target, maxRows: tierFor(target, rows) };
}

/** Times of variants of a product at so many rows, in their order. */
async function timeProduct(
  { arena, caps, timing }: ByRows,
  spec: ProductSpec,
  { rows, variantsOf }: { rows: number; variantsOf: (attributes: LinearAttributes, target: KernelTarget) => readonly Variant[] },
): Promise<RivalTime[]> {
  const target = targetOf(caps, spec.precision, rows);
  const attributes = attributesOf(spec);
  const variants = variantsOf(attributes, target);
  if (variants.length === 0) return [];
  const operands = new StepOperands(arena.device, { kernel: linear, attributes, target, rows });
  try {
    return await timeRivals(arena, operands, variants, timing);
  } finally {
    operands.destroy();
  }
}

/** What the dispatcher does with a product, from the times of all variants of each family. */
export function judgeDispatch(
  times: ReadonlyMap<Family, readonly RivalTime[]>,
  offered: readonly Family[],
): Omit<DispatchRow, keyof ProductName | "rows" | "tier"> | undefined {
  const best = [...times].flatMap(([family, own]): FamilyTime[] => {
    const found = fastest(own);
    return found ? [{ family, ms: found.ms, key: found.key }] : [];
  });
  const [picked] = offered;
  const own = best.find(({ family }) => family === picked);
  if (own === undefined) return undefined;
  const least = Math.min(...best.map(({ ms }) => ms));
  const raced = Math.min(...best.filter(({ family }) => offered.includes(family)).map(({ ms }) => ms));
  const faults = [...times.values()].flat().flatMap(({ key, fault }) => (fault === undefined ? [] : [`${key}: ${fault}`]));
  return { families: best, picked, offered, share: least / own.ms, raced: least / raced, faults };
}

/** All three families at so many rows; undefined where no variant of the picked one is right. */
export async function measureDispatch(bench: ByRows, spec: ProductSpec, rows: number): Promise<DispatchRow | undefined> {
  const made = new Map<Family, readonly Variant[]>();
  const variantsOf = (attributes: LinearAttributes, target: KernelTarget): readonly Variant[] => {
    for (const [family, of] of Object.entries(families) as Array<[Family, typeof gemvVariants]>) made.set(family, of(attributes, target));
    return [...made.values()].flat();
  };
  const times = await timeProduct(bench, spec, { rows, variantsOf });
  const byFamily = new Map(
    [...made].map(([family, own]) => [family, times.filter(({ key }) => own.some((variant) => variant.key === key))]),
  );
  const target = targetOf(bench.caps, spec.precision, rows);
  const judged = judgeDispatch(byFamily, productOrder(attributesOf(spec), target));
  return judged && { ...nameOf(spec), rows, tier: target.maxRows, ...judged };
}

/** One to eight columns, each by the fastest of its tier's variants. */
export async function measureColumns(bench: ByRows, spec: ProductSpec): Promise<ColumnsRow | undefined> {
  const ms: number[] = [];
  for (let rows = 1; rows <= 8; rows++) {
    const best = fastest(await timeProduct(bench, spec, { rows, variantsOf: offeredBy }));
    if (best === undefined) return undefined;
    ms.push(best.ms);
  }
  return { ...nameOf(spec), ms, relative: ms.map((one) => one / ms[0]) };
}

/** Undefined where the format has no lookups or one of both forms is not right. */
export async function measureLut(bench: ByRows, spec: ProductSpec): Promise<LutRow | undefined> {
  const { format } = spec;
  if (format.codeBits === undefined) return undefined;
  const times = await timeProduct(bench, spec, { rows: 1, variantsOf: withLookups });
  const lut = fastest(times.filter(({ key }) => isLut(key)));
  const dequant = fastest(times.filter(({ key }) => !isLut(key)));
  if (lut === undefined || dequant === undefined) return undefined;
  const bits = (8 * format.bytesPerBlock) / format.blockSize;
  return { ...nameOf(spec), codeBits: format.codeBits, bits, lutMs: lut.ms, dequantMs: dequant.ms, ratio: dequant.ms / lut.ms };
}
