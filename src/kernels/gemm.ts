// Variants of `linear` for many activation rows.

import { rowGroupSize } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { DeviceClass } from "../gpu/caps.ts";
import { loopPart } from "./target.ts";
import type { KernelTarget, Variant } from "./kernel.ts";
import { type LinearAttributes, productVariant } from "./matrix.ts";

/** Side of the tile that a workgroup of gemm.wgsl owns. */
const tile = 64;

/** Activation rows of a workgroup of gemm_cpu.wgsl. */
const cpuColumns = 8;

/** Most row groups of a workgroup of gemm_cpu.wgsl: more share the loads of x (32 reach 1.15 times the speed of 16). */
const cpuGroups = 32;

/** Activation rows that a product works on together: fewer take as long. */
export function gemmTileRows(deviceClass: DeviceClass): number {
  return deviceClass === "cpu" ? cpuColumns : tile;
}

export function gemmCpu(attributes: LinearAttributes, target: KernelTarget): Variant {
  const { over, n } = attributes;
  const all = ceilDiv(n, rowGroupSize);
  const groups = ceilDiv(all, ceilDiv(all, cpuGroups));
  return productVariant(attributes, target, {
    name: "gemm",
    // SwiftShader takes 3 times as long to multiply bytes as to convert them.
    packed: false,
    file: "gemm_cpu.wgsl",
    consts: { GROUPS: groups },
    grid: (step) => [ceilDiv(all, groups), ceilDiv(step[over], cpuColumns), 1],
  });
}

export function gemmGpu(attributes: LinearAttributes, target: KernelTarget): Variant {
  const { over, n } = attributes;
  return productVariant(attributes, target, {
    name: "gemm",
    packed: false,
    file: "gemm.wgsl",
    parts: [loopPart(target)],
    consts: {},
    grid: (step) => [ceilDiv(n, tile), ceilDiv(step[over], tile), 1],
  });
}
