// Variants of `linear` for few activation rows: every weight is read once for up to 8 of them.

import { rowGroupSize } from "../base/layout.ts";
import { ceilDiv, clamp } from "../base/math.ts";
import type { KernelTarget, Variant } from "./kernel.ts";
import { canPack, type LinearAttributes, productVariant } from "./matrix.ts";

/** Activation rows that the kernel for real GPUs takes at once. */
export const gemvColumns = 8;

/** Dispatches are limited to 65,535 workgroups per dimension; larger ones fold. */
const maxGrid = 65535;

/** Row groups of a workgroup: more share the loads of x, but every core should have something to do. */
function cpuGroups(n: number): number {
  return clamp(Math.floor(n / rowGroupSize / 8), 1, 8);
}

export function gemvCpu(attributes: LinearAttributes, target: KernelTarget): Variant {
  const { over, n } = attributes;
  const groups = cpuGroups(n);
  return productVariant(attributes, target, {
    name: "gemv",
    // SwiftShader takes 1.2 to 1.8 times as long to multiply bytes as to convert them.
    packed: false,
    file: "gemv_cpu.wgsl",
    consts: { GROUPS: groups },
    grid: (step) => [ceilDiv(n, groups * rowGroupSize), step[over], 1],
  });
}

export function gemvGpu(attributes: LinearAttributes, target: KernelTarget): Variant {
  const { over, n, k } = attributes;
  const cols = Math.min(target.maxRows, gemvColumns);
  const groups = ceilDiv(n, rowGroupSize);
  const gridX = Math.min(groups, maxGrid);
  return productVariant(attributes, target, {
    name: "gemv",
    packed: canPack(attributes, target),
    file: "gemv.wgsl",
    // Lanes beyond the blocks of a row would idle.
    consts: { WG: k >= 2048 ? 256 : k >= 1024 ? 128 : 64, COLS: cols, GRID_X: gridX },
    grid: (step) => [gridX, ceilDiv(groups, gridX), ceilDiv(step[over], cols)],
  });
}
