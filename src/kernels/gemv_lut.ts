// Variants of `linear` that look sums of activations up instead of multiplying: for weights of at most 4 bits and
// one activation row. A lookup is by one bit of four codes, so a code has to be the sum of its bits: not so in codebooks (IQ, MXFP4, NVFP4).

import { ceilDiv } from "../base/math.ts";
import type { KernelTarget, Variant } from "./kernel.ts";
import { type LinearAttributes, productVariant } from "./matrix.ts";
import { loopPart } from "./target.ts";

/** Weight rows of a workgroup: they share the tables. */
const lutRows = 64;

/** Dispatches are limited to 65,535 workgroups per dimension; larger ones fold. */
const maxGrid = 65535;

/** Rivals only: whether lookups beat conversions is for a race to say. Empty for other weights, more rows and CPU drivers. */
export function lutVariants(attributes: LinearAttributes, target: KernelTarget): readonly Variant[] {
  const { format, over, n } = attributes;
  const { deviceClass, maxRows, caps } = target;
  if (format.codeBits === undefined || attributes.activations === "int8" || deviceClass === "cpu" || maxRows > 1) return [];
  if (caps.maxWorkgroupInvocations < 256) return [];
  const groups = ceilDiv(n, lutRows);
  const gridX = Math.min(groups, maxGrid);
  const variant = productVariant(attributes, target, {
    name: "gemv_lut",
    packed: false,
    file: "gemv_lut.wgsl",
    parts: [loopPart(target)],
    consts: { GRID_X: gridX, CODE_BITS: format.codeBits },
    grid: (step) => [gridX, ceilDiv(groups, gridX), step[over]],
  });
  return [variant];
}
