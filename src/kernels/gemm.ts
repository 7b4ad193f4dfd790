// Variants of `linear` for many activation rows: each weight is decoded once for a tile of them.

import { type DeviceClass } from "../gpu/caps.ts";
import { cpuTile } from "./gemm_cpu.ts";
import { subgroupMatrixVariants } from "./gemm_subgroup_matrix.ts";
import { fits, type Tile, tileVariant, tileWorkgroups } from "./gemm_tile.ts";
import type { KernelTarget, Variant } from "./kernel.ts";
import { canPack, geometryOf, type LinearAttributes } from "./matrix.ts";

/** Activation rows that a product works on together: fewer take as long. */
export function gemmTileRows(deviceClass: DeviceClass): number {
  return deviceClass === "cpu" ? 8 : 64;
}

/** Workgroups that keep a large GPU busy; a product that makes fewer of them wants smaller tiles. */
const plenty = 128;

/** 64 x 64 of y by 128 lanes: half of them decode weights while the others bring activations. 16 KiB, which every adapter has. */
const square: Tile = { n: 64, t: 64, laneN: 8, laneT: 4 };
const small: Tile = { n: 32, t: 32, laneN: 4, laneT: 4 };

/** Rivals: 4 x 4 of more lanes, 8 x 8 of fewer, and twice as wide where there is the memory. */
const rivals: readonly Tile[] = [
  { n: 64, t: 64, laneN: 4, laneT: 4 },
  { n: 64, t: 64, laneN: 8, laneT: 8 },
  { n: 128, t: 64, laneN: 8, laneT: 8 },
];

function gpuTiles(attributes: LinearAttributes, target: KernelTarget): readonly Tile[] {
  const busy = tileWorkgroups(square, attributes, target.maxRows) >= plenty;
  const floats = busy ? [square, ...rivals] : [small, square, ...rivals.slice(0, 2)];
  if (target.precision === "f16") return [...floats.slice(0, 3), ...floats.slice(0, 2).map((tile) => ({ ...tile, type: "f16" as const }))];
  if (!canPack(attributes, target)) return floats;
  // Adapters without the instruction emulate it: then decoded tiles win.
  return [...floats.map((tile) => ({ ...tile, packed: true })), floats[0]];
}

/** Matrix products, the safe default first. */
export function gemmVariants(attributes: LinearAttributes, target: KernelTarget): readonly Variant[] {
  if (target.deviceClass === "cpu") {
    const converted = cpuTile(attributes, target, { columns: 8, packed: false });
    return canPack(attributes, target) ? [converted, cpuTile(attributes, target, { columns: 8, packed: true })] : [converted];
  }
  const tiles = gpuTiles(geometryOf(attributes), target).filter((tile) => fits(tile, target.caps));
  const variants = tiles.map((tile) => tileVariant(attributes, target, { name: "gemm", tile }));
  return [...variants, ...subgroupMatrixVariants(attributes, target)];
}
