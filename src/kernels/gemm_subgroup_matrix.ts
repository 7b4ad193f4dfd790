// Variants of `linear` that multiply small matrices in hardware, by a proposal that few browsers have behind a flag: detected, never
// required, never the first of a list. Nobody could run them here; a load's own check decides whether they may be used.

import { ceilDiv } from "../base/math.ts";
import type { Caps, SubgroupMatrix } from "../gpu/caps.ts";
import type { KernelTarget, Variant } from "./kernel.ts";
import { type LinearAttributes, productVariant } from "./matrix.ts";

/** Activation rows and weight rows of a workgroup, and weight rows of each of its four subgroups. */
const tile = { t: 32, n: 64, own: 16 } as const;

const workgroupBytes = 2 * 32 * (tile.t + tile.n) + 4 * tile.t * tile.n;

/** The matrix that a tile is made of, if the adapter has one and subgroups of one size, which the workgroup is counted in. */
function fitting(caps: Caps): { matrix: SubgroupMatrix; subgroup: number } | undefined {
  const { subgroups, maxWorkgroupInvocations, maxWorkgroupStorageBytes } = caps;
  if (subgroups === undefined || subgroups.min !== subgroups.max || subgroups.min < 16) return undefined;
  if (4 * subgroups.min > maxWorkgroupInvocations || workgroupBytes > maxWorkgroupStorageBytes) return undefined;
  const matrix = caps.subgroupMatrix.find(
    ({ component, result, m, n, k }) => component === "f16" && result === "f32" && tile.t % m === 0 && tile.own % n === 0 && 32 % k === 0,
  );
  return matrix && { matrix, subgroup: subgroups.min };
}

/** One variant in the f16 class of an adapter that has a fitting matrix, else none. */
export function subgroupMatrixVariants(attributes: LinearAttributes, target: KernelTarget): readonly Variant[] {
  const { over, n } = attributes;
  if (target.deviceClass === "cpu" || target.precision !== "f16") return [];
  const found = fitting(target.caps);
  if (found === undefined) return [];
  const { matrix, subgroup } = found;
  const variant = productVariant(attributes, target, {
    name: "gemm",
    packed: false,
    details: ["subgroup_matrix", `${matrix.m}x${matrix.n}x${matrix.k}`],
    file: "gemm_subgroup_matrix.wgsl",
    enables: ["subgroups", "chromium_experimental_subgroup_matrix"],
    consts: { SUBGROUP: subgroup, MATRIX_M: matrix.m, MATRIX_N: matrix.n, MATRIX_K: matrix.k },
    grid: (step) => [ceilDiv(n, tile.n), ceilDiv(step[over], tile.t), 1],
  });
  return [variant];
}
