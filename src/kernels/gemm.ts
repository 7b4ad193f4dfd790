// Variants of `linear` for many activation rows.

import { ceilDiv } from "../base/math.ts";
import type { KernelTarget, Variant } from "./kernel.ts";
import { type LinearAttributes, productVariant } from "./matrix.ts";
import { variantKey } from "./target.ts";

/** Side of the tile that a workgroup of gemm.wgsl owns. */
const tile = 64;

/** Activation rows of a thread of gemm_cpu.wgsl. */
const cpuColumns = 4;

/** Weight rows of a thread: more share the loads of x (32 reach 1.15 times the speed of 16), fewer fill the cores. */
function cpuRows(n: number): number {
  if (n >= 256) return 32;
  return n >= 128 ? 16 : 8;
}

export function gemmCpu(attributes: LinearAttributes, target: KernelTarget): Variant {
  const { over, n, format } = attributes;
  const rows = cpuRows(n);
  const rowTiles = ceilDiv(n, rows);
  // Few threads spread over the cores; many would pass the limit of a grid.
  const workgroupSize = rowTiles < 64 ? 8 : 64;
  return productVariant(attributes, target, {
    key: variantKey(target, "gemm", format.name),
    file: "gemm_cpu.wgsl",
    consts: { WG: workgroupSize, ROWS: rows, ROW_TILES: rowTiles },
    grid: (step) => [ceilDiv(rowTiles * ceilDiv(step[over], cpuColumns), workgroupSize), 1, 1],
  });
}

export function gemmGpu(attributes: LinearAttributes, target: KernelTarget): Variant {
  const { over, n, format } = attributes;
  return productVariant(attributes, target, {
    key: variantKey(target, "gemm", format.name),
    file: "gemm.wgsl",
    consts: {},
    grid: (step) => [ceilDiv(n, tile), ceilDiv(step[over], tile), 1],
  });
}
