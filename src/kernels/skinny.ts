// Variants of `linear` for more activation rows than a matrix-vector product takes at once and fewer than fill a tile of gemm.ts, some 9
// to 32 on GPUs. So few rows make few tiles: lanes share out K as well.

import { cpuCost, cpuTile } from "./gemm_cpu.ts";
import { fits, type Tile, tileVariant } from "./gemm_tile.ts";
import type { KernelTarget, Variant } from "./kernel.ts";
import { canPack, geometryOf, type LinearAttributes } from "./matrix.ts";

/** Tiles of 16 or 32 activation rows, the safe default first. */
function gpuTiles(attributes: LinearAttributes, target: KernelTarget): readonly Tile[] {
  const few = target.maxRows <= 16;
  const plain: Tile = few ? { n: 32, t: 16, laneN: 4, laneT: 2 } : { n: 32, t: 32, laneN: 4, laneT: 4 };
  const wide: Tile = { n: 64, t: few ? 16 : 32, laneN: 4, laneT: 4 };
  const sliced = { ...plain, slices: 2 };
  const halves: Tile = { ...plain, slices: few ? 4 : 2, type: "f16" };
  if (target.precision === "f16") return [plain, sliced, wide, halves];
  if (!canPack(attributes, target)) return [plain, sliced, wide];
  const packed = [plain, { ...plain, slices: 4 }, sliced, wide].map((tile) => ({ ...tile, packed: true }));
  return [...packed, plain];
}

/** Products of a few activation rows, the safe default first. */
export function skinnyVariants(attributes: LinearAttributes, target: KernelTarget): readonly Variant[] {
  if (target.deviceClass === "cpu") {
    const wide = ([2, 4] as const).filter((columns) => columns < 2 * target.maxRows);
    const shape = geometryOf(attributes);
    const ranked = wide.toSorted((a, b) => cpuCost(shape, a, target.maxRows) - cpuCost(shape, b, target.maxRows));
    return ranked.map((columns) => cpuTile(attributes, target, { columns, packed: false }));
  }
  const tiles = gpuTiles(attributes, target).filter((tile) => fits(tile, target.caps));
  return tiles.map((tile) => tileVariant(attributes, target, { name: "skinny", tile }));
}
