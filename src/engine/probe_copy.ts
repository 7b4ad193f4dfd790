// A work that only copies: the measure of kernels that memory bounds.

import type { Caps } from "../gpu/caps.ts";
import { gatherRows } from "../kernels/gather_rows.ts";
import type { KernelTarget } from "../kernels/kernel.ts";
import type { Work } from "./probe_timer.ts";
import type { WorkMaker } from "./probe_works.ts";

const copyRows = 64;

/** More than the caches hold, as far as bindings reach. */
function copyCols({ software, maxBindingBytes }: Caps): number {
  return software ? 65536 : Math.min(1 << 18, maxBindingBytes / copyRows / 4);
}

/** @returns the work, and the bytes that it reads and writes */
export async function makeCopyWork(maker: WorkMaker, target: KernelTarget): Promise<{ readonly work: Work; readonly bytes: number }> {
  const cols = copyCols(target.caps);
  const work = await maker.make(gatherRows, { cols }, { rows: copyRows });
  return { work, bytes: 2 * copyRows * cols * elementBytesOf(target) };
}

/** Bytes of one activation. */
export function elementBytesOf({ precision }: Pick<KernelTarget, "precision">): number {
  return precision === "f16" ? 2 : 4;
}
