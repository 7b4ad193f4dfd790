// Variants of `linear` for few activation rows on GPUs: every weight is read once for up to 8 of them. gemv_cpu.ts has those of
// CPU drivers. All are right for any number of rows; here is only which geometries are worth a race.

import { assert } from "../base/errors.ts";
import { blockWidth, rowGroupSize } from "../base/layout.ts";
import { ceilDiv, clamp } from "../base/math.ts";
import { gemvCpuVariants } from "./gemv_cpu.ts";
import type { KernelTarget, Variant } from "./kernel.ts";
import { canPack, geometryOf, type LinearAttributes, productVariant } from "./matrix.ts";
import { loopPart } from "./target.ts";

/** Activation rows that the kernel for real GPUs takes at once. */
export const gemvColumns = 8;

/** Dispatches are limited to 65,535 workgroups per dimension; larger ones fold. */
const maxGrid = 65535;

/** Workgroups that fill a large GPU several times over: fewer rows each, more lanes for a row, until there are so many. */
const plenty = 1024;

/** What variants for GPUs differ in, one word of the key for each. */
interface Geometry {
  /** Lanes of a workgroup. */
  readonly lanes: number;
  /** Weight rows that lanes of one block of K lie over: a multiple of 8, or 4 or 2 of the 8 rows of a group. */
  readonly rows: number;
  /** Weight rows of a lane: a second one shares the loads of x. */
  readonly laneRows?: 1 | 2;
  /** Blocks of K that a lane loads before it multiplies. */
  readonly unroll?: 1 | 2;
  readonly subgroup?: boolean;
  /** Multiply bytes where that is possible; default yes. */
  readonly packed?: boolean;
}

function detailsOf({ subgroup, rows, laneRows, lanes, unroll }: Required<Geometry>): readonly string[] {
  const shape = `rows${rows}${laneRows > 1 ? `x${laneRows}` : ""}`;
  return [...(subgroup ? ["subgroup"] : []), shape, `lanes${lanes}`, ...(unroll > 1 ? [`unroll${unroll}`] : [])];
}

function gemvGpu(attributes: LinearAttributes, target: KernelTarget, some: Geometry): Variant {
  const geometry = { laneRows: 1, unroll: 1, subgroup: false, packed: true, ...some } as const;
  const { lanes, rows, laneRows, unroll, subgroup } = geometry;
  const { over, n, pair, norm, merge, best } = attributes;
  const cols = Math.min(target.maxRows, gemvColumns);
  const workgroups = ceilDiv(n, pair ? rows : rows * laneRows);
  const gridX = Math.min(workgroups, maxGrid);
  // A slot for each row of each subgroup, of the smallest that may come.
  const slots = (rows * lanes) / Math.max(rows, Math.min(target.caps.subgroups?.min ?? 1, lanes));
  const registers = target.caps.software ? ("indexed" as const) : ("named" as const);
  return productVariant(attributes, target, {
    name: "gemv",
    packed: geometry.packed && canPack(attributes, target),
    details: detailsOf(geometry),
    block: registers,
    file: "gemv.wgsl",
    parts: [
      loopPart(target),
      `parts/sums/${registers}.wgsl`,
      `parts/lanes/${subgroup ? "subgroup" : "workgroup"}.wgsl`,
      `parts/prologue/${merge ? "ranges" : norm ? "norm" : "none"}.wgsl`,
      `parts/best/${best ? "eights" : "none"}.wgsl`,
    ],
    enables: subgroup ? ["subgroups"] : [],
    consts: {
      WG: lanes,
      ROWS: rows,
      LANE_ROWS: laneRows,
      UNROLL: unroll,
      COLS: cols,
      SUMS: cols * laneRows,
      GRID_X: gridX,
      PAIRED: pair !== undefined,
      SECOND: pair?.start ?? rows,
      ...(norm && { NORM_COLS: 2 ** Math.ceil(Math.log2(cols)) }),
      ...(subgroup && { SLOTS: slots }),
    },
    grid: (step) => [gridX, ceilDiv(workgroups, gridX), ceilDiv(step[over], cols)],
  });
}

/** Lanes that all have a block of K: a power of two from 64 to 256. */
function lanesFor(rows: number, k: number, most: number): number {
  const wanted = rows * ceilDiv(k, blockWidth);
  return clamp(2 ** Math.ceil(Math.log2(wanted)), 64, most);
}

function mostLanes({ caps }: KernelTarget): number {
  return clamp(2 ** Math.floor(Math.log2(caps.maxWorkgroupInvocations)), 64, 256);
}

/** Workgroups that fill a GPU: four for each core of one with 64 of them. WebGPU does not tell how many there are. */
const enough = 256;

/**
 * Weight rows of a workgroup: fewer than a group's 8 where there are too few of them to fill a GPU and lanes go over K several times, as each
 * round of loads waits some 0.7 us for memory. Two rows are 32 contiguous bytes, a sector of a GPU's caches.
 */
function rowsFor({ n, k, best }: LinearAttributes, most: number): 8 | 4 | 2 {
  // The best of eight columns are a workgroup's own.
  if (best) return rowGroupSize;
  const suffice = (rows: number): boolean => n / rows >= enough || ceilDiv(k, blockWidth) * rows <= most;
  return suffice(rowGroupSize) ? rowGroupSize : suffice(4) ? 4 : 2;
}

/** Two weight rows to a lane, each lane having both of a column. */
function pairGeometries(attributes: LinearAttributes, target: KernelTarget): readonly Geometry[] {
  // Sums of 8 columns of both rows fill the workgroup memory that every adapter has.
  const most = Math.min(mostLanes(target), target.maxRows > 4 ? 128 : 256);
  const lanes = lanesFor(rowGroupSize, attributes.k, most);
  const narrow: Geometry = { rows: rowGroupSize, laneRows: 2, lanes };
  const few = rowsFor(attributes, most);
  const found: Geometry[] = few < rowGroupSize ? [{ ...narrow, rows: few }, narrow] : [narrow];
  found.push({ ...narrow, rows: 32, lanes: lanesFor(32, attributes.k, most) }, { ...narrow, unroll: 2 });
  if (target.caps.subgroups) found.push({ ...narrow, subgroup: true });
  return found;
}

/** Every workgroup joins all ranges, so each has many rows: all of them read what a workgroup of a plain product reads, once a range. */
function joiningGeometries(attributes: LinearAttributes, target: KernelTarget): readonly Geometry[] {
  const lanes = (rows: number): number => lanesFor(rows, attributes.k, mostLanes(target));
  const found: Geometry[] = [16, 32].map((rows) => ({ rows, lanes: lanes(rows) }));
  found.push({ rows: 16, laneRows: 2, lanes: lanes(16) });
  if (target.caps.subgroups) found.push({ rows: 16, lanes: lanes(16), subgroup: true });
  return found;
}

/**
 * The safe default, then its rivals. One activation row waits for memory: 8 rows to a workgroup or fewer give the most workgroups and
 * lanes for a row. Several wait for loads of x too, which lanes over more rows share.
 */
function gpuGeometries(attributes: LinearAttributes, target: KernelTarget): readonly Geometry[] {
  if (attributes.pair) return pairGeometries(attributes, target);
  if (attributes.merge) return joiningGeometries(attributes, target);
  const { n, k } = attributes;
  const most = mostLanes(target);
  const many = n / 32 >= plenty;
  const lanes = lanesFor(rowGroupSize, k, most);
  const narrow: Geometry = { rows: rowGroupSize, lanes };
  const wide: Geometry = { rows: 32, lanes: lanesFor(32, k, most) };
  const few = rowsFor(attributes, most);
  const order = target.maxRows > 1 && n >= 1024 ? [wide, narrow] : few < rowGroupSize ? [{ ...narrow, rows: few }, narrow] : [narrow, wide];
  const found: Geometry[] = [...order];
  if (few === 2) found.push({ ...narrow, rows: 4 });
  found.push({ rows: rowGroupSize, laneRows: 2, lanes: Math.min(lanes, 128) });
  found.push(many ? { rows: 16, laneRows: 2, lanes: 128 } : { ...narrow, unroll: 2 });
  if (target.caps.subgroups)
    found.push({ ...narrow, subgroup: true }, { ...narrow, subgroup: true, laneRows: 2, lanes: Math.min(lanes, 128) });
  // Adapters without the instruction emulate it.
  if (canPack(attributes, target)) found.push({ ...found[0], packed: false });
  return found;
}

/** Shares of ranges that fit the workgroup memory that every adapter has, beside sums. */
const mostShares = 1024;

/** Whether a matrix-vector product can take along what a product is to. */
function takesAlong({ norm, pair, merge, best, activations, over, k }: LinearAttributes, target: KernelTarget): boolean {
  if (best && (pair || target.maxRows > gemvColumns || target.deviceClass === "cpu")) return false;
  if (norm === undefined && pair === undefined && merge === undefined) return true;
  if (activations === "int8" || target.maxRows > gemvColumns || (norm && merge)) return false;
  if (target.deviceClass === "cpu") return norm === undefined && merge === undefined;
  if (merge === undefined) return true;
  const { numHeads, headDim, splits } = merge;
  assert(numHeads * headDim === k, `${numHeads} heads of ${headDim} are not ${k} activations`);
  return target.maxRows === 1 && over === "rows" && headDim % 4 === 0 && numHeads * splits <= mostShares;
}

/** Matrix-vector products, the safe default first; empty for none of `target`. */
export function gemvVariants(attributes: LinearAttributes, target: KernelTarget): readonly Variant[] {
  if (!takesAlong(attributes, target)) return [];
  if (target.deviceClass === "cpu") return gemvCpuVariants(attributes, target);
  return gpuGeometries(geometryOf(attributes), target).map((geometry) => gemvGpu(attributes, target, geometry));
}
