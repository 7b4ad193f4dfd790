// Variants of `linear` for CPU drivers and few activation rows: a weight row to a thread, no workgroup memory.

import { rowGroupSize } from "../base/layout.ts";
import { ceilDiv, clamp } from "../base/math.ts";
import type { KernelTarget, Variant } from "./kernel.ts";
import { canPack, geometryOf, type LinearAttributes, productVariant } from "./matrix.ts";

/** Most row groups of a workgroup: a block of each is another page of memory, of which a core's first table holds some 64. */
const mostGroups = 32;
/** Of two weight rows to a column. */
const mostPairGroups = mostGroups / 2;

/**
 * Row groups of a workgroup: more share the loads of x (32 take 0.7 to 0.8 of the time of 8), but every core should have something to
 * do, so large matrices keep 16 workgroups and small ones 8.
 */
export function cpuGroups(n: number): number {
  const all = Math.floor(n / rowGroupSize);
  return Math.max(clamp(all >> 3, 1, 8), Math.min(all >> 4, mostGroups));
}

function gemvCpu(attributes: LinearAttributes, target: KernelTarget, { groups, packed }: { groups: number; packed: boolean }): Variant {
  const { over, n, pair } = attributes;
  return productVariant(attributes, target, {
    name: "gemv",
    packed,
    details: [`groups${groups}`],
    file: "gemv_cpu.wgsl",
    consts: { GROUPS: groups, PAIRED: pair !== undefined, SECOND: pair?.start ?? 0 },
    grid: (step) => [ceilDiv(n, groups * rowGroupSize), step[over], 1],
  });
}

/** The default converts: SwiftShader takes 1.2 to 1.8 times as long to multiply bytes, lavapipe 0.8 times. */
export function gemvCpuVariants(attributes: LinearAttributes, target: KernelTarget): readonly Variant[] {
  const groups = Math.min(cpuGroups(geometryOf(attributes).n), attributes.pair ? mostPairGroups : mostGroups);
  const counts = [groups, ...[groups * 2, groups >> 1].filter((count) => count >= 1 && count !== groups)];
  const found = counts.map((count) => gemvCpu(attributes, target, { groups: count, packed: false }));
  if (!canPack(attributes, target)) return found;
  return [...found, ...counts.slice(0, 2).map((count) => gemvCpu(attributes, target, { groups: count, packed: true }))];
}
