// Products of two or more activation rows on CPU drivers: one shader, whose tile is two, four or eight rows wide. Two and four
// are `skinny`, eight is `gemm`.

import { rowGroupSize } from "../base/layout.ts";
import { ceilDiv, clamp } from "../base/math.ts";
import { cpuGroups } from "./gemv_cpu.ts";
import type { KernelTarget, Variant } from "./kernel.ts";
import { geometryOf, type LinearAttributes, productVariant } from "./matrix.ts";

/** Activation rows that a lane multiplies a decoded block with; wider tiles do not fit a core's registers and first cache. */
export type CpuColumns = 2 | 4 | 8;

const parts: Readonly<Record<CpuColumns, string>> = { 2: "two", 4: "four", 8: "eight" };

/** Tiles of bytes exist eight wide. */
export type CpuTile = { readonly columns: CpuColumns; readonly packed: false } | { readonly columns: 8; readonly packed: true };

/** Most row groups of a workgroup. All share the loads of x: 64 run at 1.2 times the speed of 32; more take long to compile. */
const mostGroups = 64;

/** Workgroups that a dispatch should have, so that every core of a machine has something to do until the end. */
const wantedWorkgroups = 16;

function groupsOf({ n }: LinearAttributes, columns: CpuColumns, rows: number): number {
  const all = ceilDiv(n, rowGroupSize);
  // Prompts shorter than the tier's bound should keep some cores busy, too.
  const parallel = Math.max(4, ceilDiv(wantedWorkgroups, ceilDiv(rows, columns)));
  const groups = clamp(Math.floor(all / parallel), 1, mostGroups);
  // Equal shares: the last workgroup should not be the one that has the rest.
  return ceilDiv(all, ceilDiv(all, groups));
}

/** Time to load activations, for each of a workgroup's row groups the less the more there are, and time for everything else. */
interface TileTime {
  readonly load: number;
  readonly rest: number;
}

/**
 * Of a tile of so many activation rows, one being a matrix-vector product: LAB.md 12. Milliseconds of one of SwiftShader's threads for
 * 1024 x 1024 weights; lavapipe takes a fifth of them, in the same proportions.
 */
const tileTimes: Readonly<Record<1 | CpuColumns, TileTime>> = {
  1: { load: 3.5, rest: 0.88 },
  2: { load: 9.3, rest: 1.09 },
  4: { load: 16.5, rest: 1.49 },
  8: { load: 34, rest: 2.19 },
};

/** Time that `rows` activation rows are foretold to take by such tiles; for comparing them over one matrix. */
export function cpuCost(attributes: LinearAttributes, columns: 1 | CpuColumns, rows: number): number {
  const groups = columns === 1 ? cpuGroups(attributes.n) : groupsOf(attributes, columns, rows);
  const { load, rest } = tileTimes[columns];
  return ceilDiv(rows, columns) * (load / groups + rest);
}

/** Product with a tile of some activation rows; converted weights first: SwiftShader takes 3 times as long to multiply bytes. */
export function cpuTile(attributes: LinearAttributes, target: KernelTarget, { columns, packed }: CpuTile): Variant {
  const { over, n } = attributes;
  const groups = groupsOf(geometryOf(attributes), columns, target.maxRows);
  return productVariant(attributes, target, {
    name: columns === 8 ? "gemm" : "skinny",
    ...(columns < 8 && { details: [`${columns}`] }),
    packed,
    file: "gemm_cpu.wgsl",
    parts: [`parts/columns/${parts[columns]}${packed ? "_packed" : ""}.wgsl`],
    consts: { GROUPS: groups },
    grid: (step) => [ceilDiv(ceilDiv(n, rowGroupSize), groups), ceilDiv(step[over], columns), 1],
  });
}
