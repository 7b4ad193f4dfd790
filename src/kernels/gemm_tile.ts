// Products by tiles in workgroup memory, for GPUs: gemm.wgsl and gemm_packed.wgsl with any shape of tile. Which shapes are worth a race
// is for gemm.ts and skinny.ts to say.

import { ceilDiv } from "../base/math.ts";
import type { Caps } from "../gpu/caps.ts";
import type { KernelTarget, Variant } from "./kernel.ts";
import { type LinearAttributes, productVariant } from "./matrix.ts";
import { loopPart } from "./target.ts";

/** Shape of a tile and how lanes share it. */
export interface Tile {
  /** Weight rows and activation rows of a workgroup: multiples of 8. */
  readonly n: number;
  readonly t: number;
  /** Weight rows and activation rows of a lane. */
  readonly laneN: number;
  readonly laneT: number;
  /** Parts of K that groups of lanes work on at the same time; default 1. */
  readonly slices?: number;
  /** Element type of decoded tiles, by default f32: in f16 weights are rounded, and held to what f16 has. */
  readonly type?: "f32" | "f16";
  /** Multiply bytes, which the caller has asked `canPack` about. */
  readonly packed?: boolean;
}

export function tileLanes({ n, t, laneN, laneT, slices = 1 }: Tile): number {
  return (n / laneN) * (t / laneT) * slices;
}

function workgroupBytes({ n, t, slices = 1, type = "f32", packed = false }: Tile): number {
  const rowBytes = packed ? 48 : type === "f16" ? 64 : 128;
  return slices * rowBytes * (n + t) + (slices > 1 ? 4 * n * t : 0);
}

/** Whether an adapter has the lanes and the workgroup memory, and the tile a lane for each block of weights. */
export function fits(tile: Tile, caps: Caps): boolean {
  const lanes = tileLanes(tile);
  const enough = lanes >= tile.n * (tile.slices ?? 1) && lanes <= caps.maxWorkgroupInvocations;
  return enough && workgroupBytes(tile) <= caps.maxWorkgroupStorageBytes && (tile.type !== "f16" || caps.f16);
}

/** Workgroups of a tile for `rows` activation rows. */
export function tileWorkgroups(tile: Tile, { n }: LinearAttributes, rows: number): number {
  return ceilDiv(n, tile.n) * ceilDiv(rows, tile.t);
}

function detailsOf({ n, t, laneN, laneT, slices = 1, type }: Tile): readonly string[] {
  const sliced = slices > 1 ? [`slices${slices}`] : [];
  return [`${n}x${t}`, `lane${laneN}x${laneT}`, ...sliced, ...(type === "f16" ? ["f16_tile"] : [])];
}

/** A variant that computes y by such tiles. */
export function tileVariant(attributes: LinearAttributes, target: KernelTarget, { name, tile }: { name: string; tile: Tile }): Variant {
  const { over, n } = attributes;
  const { slices = 1, type = "f32", packed = false } = tile;
  return productVariant(attributes, target, {
    name,
    packed,
    details: detailsOf(tile),
    file: packed ? "gemm_packed.wgsl" : "gemm.wgsl",
    parts: [loopPart(target), `parts/slices/${slices > 1 ? "several" : "one"}.wgsl`],
    ...(!packed && { aliases: { tile_t: type } }),
    consts: {
      TILE_N: tile.n,
      TILE_T: tile.t,
      LANE_N: tile.laneN,
      LANE_T: tile.laneT,
      SLICES: slices,
      ...(!packed && { TILE_F16: type === "f16" }),
    },
    grid: (step) => [ceilDiv(n, tile.n), ceilDiv(step[over], tile.t), 1],
  });
}
