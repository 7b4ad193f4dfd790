// The dispatcher: which family of products suits a shape and a number of rows, by the work it takes for each byte of weights. It only
// foretells, from bytes and multiply-adds; a race among the variants has the last word.

import { rowGroupSize } from "../base/layout.ts";
import { ceilDiv, clamp } from "../base/math.ts";
import { type CpuColumns, cpuCost } from "./gemm_cpu.ts";
import { gemvColumns } from "./gemv.ts";
import type { KernelTarget } from "./kernel.ts";
import { canPack, type LinearAttributes } from "./matrix.ts";

/** Matrix times vectors; tiles of some rows; tiles of many. */
export type Family = "gemv" | "skinny" | "gemm";

/** Multiply-adds in f32 that GPUs do while they read a byte: 10 on a large card with fast memory, 40 on one with slow memory. */
const gpuMacsPerByte = 16;

/** Of the multiply-adds that a GPU could do: where operands come by a load each, from small tiles, from large ones. */
const gpuShare: Readonly<Record<Family, number>> = { gemv: 0.4, skinny: 0.45, gemm: 0.6 };

/** Decoding a weight, in multiply-adds. */
const gpuDecode = 1.5;

/** Lanes that a GPU of medium size wants to have; with fewer its speed falls, at most to a quarter for what is not worth more detail. */
const gpuLanes = 8192;

function cpuCosts(attributes: LinearAttributes, rows: number): Readonly<Record<Family, number>> {
  const cost = (columns: 1 | CpuColumns): number => cpuCost(attributes, columns, rows);
  // One row would leave a tile for more of them half empty.
  return { gemv: cost(1), skinny: rows > 1 ? Math.min(cost(2), cost(4)) : Number.POSITIVE_INFINITY, gemm: cost(8) };
}

/** Multiply-adds' time for each weight of the matrix. */
function gpuCosts(attributes: LinearAttributes, target: KernelTarget): Readonly<Record<Family, number>> {
  const { format, k, n } = attributes;
  const rows = target.maxRows;
  const bytesTime = (gpuMacsPerByte * format.rowGroupBytes(k)) / (rowGroupSize * k);
  // Four products of bytes for one of floats.
  const speed = canPack(attributes, target) ? 4 : 1;
  const cost = (family: Family, { tileRows, lanes }: { tileRows: number; lanes: number }): number => {
    const passes = ceilDiv(rows, tileRows);
    const pass = gpuDecode + tileRows / speed / gpuShare[family];
    return Math.max(bytesTime, (passes * pass) / clamp(lanes / gpuLanes, 0.25, 1));
  };
  const skinnyRows = rows <= 16 ? 16 : 32;
  return {
    gemv: cost("gemv", { tileRows: Math.min(rows, gemvColumns), lanes: (n * k * ceilDiv(rows, gemvColumns)) / 32 }),
    skinny: cost("skinny", { tileRows: skinnyRows, lanes: ceilDiv(n, 32) * ceilDiv(rows, skinnyRows) * 64 }),
    gemm: cost("gemm", { tileRows: 64, lanes: ceilDiv(n, 32) * ceilDiv(rows, 32) * 64 }),
  };
}

/** Time that each family is foretold to take, for `target.maxRows` rows; only ratios have a meaning. */
export function productCosts(attributes: LinearAttributes, target: KernelTarget): Readonly<Record<Family, number>> {
  return target.deviceClass === "cpu" ? cpuCosts(attributes, target.maxRows) : gpuCosts(attributes, target);
}

/** A family that is foretold to take longer than this many times the best does not race. */
const hopeless = 1.6;

/** Families in the order of the time that they are foretold to take, without those that have no chance. */
export function productOrder(attributes: LinearAttributes, target: KernelTarget): readonly Family[] {
  const costs = productCosts(attributes, target);
  const families: readonly Family[] = ["gemv", "skinny", "gemm"];
  const least = Math.min(...families.map((family) => costs[family]));
  return families.filter((family) => costs[family] <= hopeless * least).toSorted((a, b) => costs[a] - costs[b]);
}

/**
 * The row counts that products of a program are compiled for, ascending; a step takes the smallest that holds its rows, and the last
 * holds them all. Other tiles suit other counts, but each tier is another compilation: CPU drivers, which take long for one, get
 * tiers only for the few rows of batched decoding.
 */
export function rowTiers({ deviceClass, maxRows }: KernelTarget): readonly number[] {
  const few = maxRows <= gemvColumns;
  const wanted = deviceClass === "cpu" ? (few ? [1, 4] : []) : few ? [1] : [gemvColumns, 32];
  return [...wanted.filter((rows) => rows < maxRows), maxRows];
}
