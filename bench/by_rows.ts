// Products of 1 to 256 activation rows: which family of kernels is the fastest and which one the dispatcher takes; what more columns
// cost a matvec; and whether looking sums up beats converting weights of few bits.

import type { WeightFormat } from "../src/formats/format.ts";
import type { Caps } from "../src/gpu/caps.ts";
import type { KernelTarget, Precision, Variant } from "../src/kernels/kernel.ts";
import { linear } from "../src/kernels/linear.ts";
import type { LinearAttributes } from "../src/kernels/matrix.ts";
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
  readonly family: string;
  /** Of its fastest right variant. */
  readonly ms: number;
  readonly key: string;
}

export interface DispatchRow extends ProductName {
  readonly rows: number;
  readonly families: readonly FamilyTime[];
  /** Family of the first variant, which is what the dispatcher takes. */
  readonly picked: string;
  /** Time of the fastest family over that of the picked one; 1 is the best. */
  readonly share: number;
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

/** First word of a variant's key. */
export function familyOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}

/** Whether a variant looks sums up. */
export function isLut(key: string): boolean {
  return /(^|[/_])lut([/_]|$)/.test(key);
}

/** The smallest tier that holds that many rows. */
export function tierFor(tiers: readonly number[], rows: number): number {
  return tiers.find((tier) => tier >= rows) ?? rows;
}

function attributesOf({ format, n, k, precision }: ProductSpec): LinearAttributes {
  const activations = precision === "int8" ? "int8" : "float";
  return { format, k, n, bias: false, outStart: 0, outCols: n, over: "rows", out: "act", activations };
}

function nameOf({ format, n, k, precision }: ProductSpec): ProductName {
  return { type: format.name, shape: `${n} x ${k}`, precision };
}

async function timeProduct(
  { arena, caps, timing }: ByRows,
  spec: ProductSpec,
  { rows, tier, only }: { rows: number; tier: number; only?: (variant: Variant) => boolean },
): Promise<RivalTime[]> {
  const target: KernelTarget = { caps, deviceClass: caps.deviceClass, precision: spec.precision, maxRows: tier };
  const attributes = attributesOf(spec);
  const variants = linear.variants(attributes, target).filter((variant) => only?.(variant) ?? true);
  if (variants.length === 0) return [];
  const operands = new StepOperands(arena.device, { kernel: linear, attributes, target, rows });
  try {
    return await timeRivals(arena, operands, variants, timing);
  } finally {
    operands.destroy();
  }
}

/** The fastest of each family, in the order of the variants. */
export function byFamily(times: readonly RivalTime[]): FamilyTime[] {
  const families = [...new Set(times.map(({ key }) => familyOf(key)))];
  return families.flatMap((family) => {
    const best = fastest(times.filter(({ key }) => familyOf(key) === family));
    return best ? [{ family, ms: best.ms, key: best.key }] : [];
  });
}

/** Undefined where no variant of the picked family is right. */
export function dispatchRow(name: ProductName, rows: number, times: readonly RivalTime[]): DispatchRow | undefined {
  const families = byFamily(times);
  const picked = times.length > 0 ? familyOf(times[0].key) : "";
  const own = families.find(({ family }) => family === picked);
  if (own === undefined) return undefined;
  const least = Math.min(...families.map(({ ms }) => ms));
  const faults = times.flatMap(({ key, fault }) => (fault === undefined ? [] : [`${key}: ${fault}`]));
  return { ...name, rows, families, picked, share: least / own.ms, faults };
}

export async function measureDispatch(
  bench: ByRows,
  spec: ProductSpec,
  { rows, tier }: { rows: number; tier: number },
): Promise<DispatchRow | undefined> {
  return dispatchRow(nameOf(spec), rows, await timeProduct(bench, spec, { rows, tier }));
}

/** One to eight columns, each by the fastest of its tier's variants. */
export async function measureColumns(bench: ByRows, spec: ProductSpec, tiers: readonly number[]): Promise<ColumnsRow | undefined> {
  const ms: number[] = [];
  for (let rows = 1; rows <= 8; rows++) {
    const best = fastest(await timeProduct(bench, spec, { rows, tier: tierFor(tiers, rows) }));
    if (best === undefined) return undefined;
    ms.push(best.ms);
  }
  return { ...nameOf(spec), ms, relative: ms.map((one) => one / ms[0]) };
}

/** Undefined where the format has no lookups or one of both forms is not right. */
export async function measureLut(bench: ByRows, spec: ProductSpec): Promise<LutRow | undefined> {
  const { format } = spec;
  if (format.codeBits === undefined) return undefined;
  const times = await timeProduct(bench, spec, { rows: 1, tier: 1 });
  const lut = fastest(times.filter(({ key }) => isLut(key)));
  const dequant = fastest(times.filter(({ key }) => !isLut(key)));
  if (lut === undefined || dequant === undefined) return undefined;
  const bits = (8 * format.bytesPerBlock) / format.blockSize;
  return { ...nameOf(spec), codeBits: format.codeBits, bits, lutMs: lut.ms, dequantMs: dequant.ms, ratio: dequant.ms / lut.ms };
}
