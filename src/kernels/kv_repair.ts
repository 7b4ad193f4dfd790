// Finds what quantizing lost of the pages that a step fills, as far as a matrix of rank 2 says it, and writes it into them: GEAR without its
// single numbers, arXiv:2403.05527. In prefill behind kv_quantize, in decode behind kv_store.

import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { kvName } from "./kv_layout.ts";
import { type OwnPage, type PageAttributes, pageConsts, pageReadBindings, pageReadParts, recentInput, supportsPages } from "./kv_pages.ts";
import { makeHeader, variantKey } from "./target.ts";
import { kvBytes } from "./work.ts";

export interface RepairAttributes extends PageAttributes {
  /** Where the rows' numbers are as they were. */
  readonly own: OwnPage;
}

/** Turns of least squares, the last of which finds factors of tokens. */
export const repairTurns = 5;

function variants({ kv, own }: RepairAttributes, target: KernelTarget): readonly Variant[] {
  if (!supportsPages(target, kv) || !kv.repair) return [];
  const plain: KernelTarget = { ...target, precision: "f32" };
  const alone = target.deviceClass === "cpu";
  const consts = { WG: alone ? 1 : 64, TURNS: repairTurns, ...pageConsts(kv) };
  return [
    {
      key: variantKey(plain, "kv_repair", own, kvName(kv)),
      precision: target.precision,
      header: makeHeader(plain, consts),
      files: ["kv_repair.wgsl", `parts/kv_factors/${alone ? "one" : "many"}.wgsl`, ...pageReadParts(own)],
      bindings: pageReadBindings(own).map((one) => {
        if (one.from === "input1") return { ...one, from: "input0" };
        return one.from === "kv" ? { ...one, access: "read_write" } : one;
      }),
      usesStep: true,
      grid: (step) => [2 * kv.numKvHeads, step.rows, 1],
    },
  ];
}

/** Pages that rows fill, repaired; has no output. */
export const kvRepair: Kernel<RepairAttributes> = {
  name: "kv_repair",
  outputs: () => [],
  variants,
  operands: ({ kv, own }) => ({ inputs: own === "recent" ? [recentInput(kv)] : [], kv, repairs: true }),
  work: ({ kv }, step) => ({ bytes: kvBytes(kv, step.rows), macs: 0 }),
};
