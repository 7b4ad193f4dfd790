// Variants of `linear` for few activation rows on GPUs: every weight is read once for up to 8 of them. gemv_cpu.ts has those of
// CPU drivers. All are right for any number of rows; here is only which geometries are worth a race.

import { blockWidth, rowGroupSize, rowStride } from "../base/layout.ts";
import { ceilDiv, clamp } from "../base/math.ts";
import { gemvCpuVariants } from "./gemv_cpu.ts";
import type { KernelTarget, Variant } from "./kernel.ts";
import { canPack, type LinearAttributes, productVariant } from "./matrix.ts";
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
  /** Weight rows that lanes of one block of K lie over, a multiple of 8. */
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
  const { over, n, k, splits = 1 } = attributes;
  const cols = Math.min(target.maxRows, gemvColumns);
  const workgroups = ceilDiv(n, rows * laneRows);
  const gridX = Math.min(workgroups, maxGrid);
  // A slot for each row of each subgroup, of the smallest that may come.
  const slots = (rows * lanes) / Math.max(rows, Math.min(target.caps.subgroups?.min ?? 1, lanes));
  return productVariant(attributes, target, {
    name: "gemv",
    packed: geometry.packed && canPack(attributes, target),
    details: detailsOf(geometry),
    file: "gemv.wgsl",
    parts: [
      loopPart(target),
      `parts/sums/${target.caps.software ? "indexed" : "named"}.wgsl`,
      `parts/lanes/${subgroup ? "subgroup" : "workgroup"}.wgsl`,
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
      SPLITS: splits,
      SPLIT_BLOCKS: ceilDiv(rowStride(k) / blockWidth, splits),
      ...(splits > 1 && { TAIL_START: attributes.outCols }),
      ...(subgroup && { SLOTS: slots }),
    },
    grid: (step) => [gridX, ceilDiv(workgroups, gridX), ceilDiv(step[over], cols) * splits],
  });
}

/** Lanes that all have a block of K: a power of two from 64 to 256. */
function lanesFor(rows: number, k: number, most: number): number {
  const wanted = rows * ceilDiv(k, 32);
  return clamp(2 ** Math.ceil(Math.log2(wanted)), 64, most);
}

/**
 * The safe default, then its rivals. One activation row waits for memory: 8 rows to a workgroup give the most workgroups and
 * lanes for a row. Several wait for loads of x too, which lanes over more rows share.
 */
function gpuGeometries(attributes: LinearAttributes, target: KernelTarget): readonly Geometry[] {
  const { n, splits = 1 } = attributes;
  const k = ceilDiv(attributes.k, splits);
  const most = clamp(2 ** Math.floor(Math.log2(target.caps.maxWorkgroupInvocations)), 64, 256);
  const many = n / 32 >= plenty;
  const lanes = lanesFor(rowGroupSize, k, most);
  const narrow: Geometry = { rows: rowGroupSize, lanes };
  const wide: Geometry = { rows: 32, lanes: lanesFor(32, k, most) };
  const first = target.maxRows > 1 && n >= 1024 ? wide : narrow;
  const found: Geometry[] = [first, first === wide ? narrow : wide];
  found.push({ rows: rowGroupSize, laneRows: 2, lanes: Math.min(lanes, 128) });
  found.push(many ? { rows: 16, laneRows: 2, lanes: 128 } : { ...narrow, unroll: 2 });
  if (target.caps.subgroups)
    found.push({ ...narrow, subgroup: true }, { ...narrow, subgroup: true, laneRows: 2, lanes: Math.min(lanes, 128) });
  // Adapters without the instruction emulate it.
  if (canPack(attributes, target)) found.push({ ...first, packed: false });
  return found;
}

/** Matrix-vector products, the safe default first; empty for none of `target`. */
export function gemvVariants(attributes: LinearAttributes, target: KernelTarget): readonly Variant[] {
  if (target.deviceClass === "cpu") return gemvCpuVariants(attributes, target);
  return gpuGeometries(attributes, target).map((geometry) => gemvGpu(attributes, target, geometry));
}
