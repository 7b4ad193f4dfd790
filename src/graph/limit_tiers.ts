// Which products go without some of their tiers, so that programs have fewer pipelines. Products with few weights give way first.

import type { KernelCall } from "./call.ts";
import type { TieredProgram, TierLimits } from "./tiers.ts";

/** What limits are found with. */
export interface LimitTools {
  /** Pipelines that are wanted. */
  readonly most: number;
  readonly count: (programs: readonly TieredProgram[], tiers: TierLimits) => number;
  /** What the products that have the same tiers have in common; undefined for a call that has one tier. */
  readonly shapeOf: (call: KernelCall, program: TieredProgram) => string | undefined;
}

/** Limits with which programs have at most `most` pipelines, if that can be. */
export function limitTiers(programs: readonly TieredProgram[], { most, count, shapeOf }: LimitTools): TierLimits {
  const limits = new Map<string, "fewer" | "one">();
  const weights = new Map<string, number>();
  for (const program of programs) {
    for (const call of program.calls) {
      const shape = shapeOf(call, program);
      if (shape !== undefined) weights.set(shape, call.weights[0].rows * call.weights[0].cols);
    }
  }
  const shapes = [...weights].toSorted(([, a], [, b]) => a - b).map(([shape]) => shape);
  const inBody = shapes.filter((shape) => !shape.endsWith("outputRows"));
  for (const [some, limit] of [
    [shapes, "fewer"],
    [inBody, "one"],
  ] as const) {
    for (const shape of some) {
      if (count(programs, limits) <= most) return limits;
      limits.set(shape, limit);
    }
  }
  return limits;
}
