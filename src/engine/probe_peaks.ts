// How fast an adapter multiplies and adds when it needs no memory: works for the timer, and rates from their times.

import type { Caps } from "../gpu/caps.ts";
import type { KernelTarget } from "../kernels/kernel.ts";
import { peak, type PeakAttributes } from "../kernels/peak.ts";
import type { Work } from "./probe_timer.ts";
import type { WorkMaker } from "./probe_works.ts";
import type { ComputePeaks } from "./verdict.ts";

/** A work and the multiply-adds of one repetition. */
export interface PeakWork {
  readonly kind: keyof ComputePeaks;
  readonly work: Work;
  readonly macs: number;
}

const numbersOf = { f32: "f32", f16: "f16", packedDot: "bytes" } as const;

/** Enough threads to fill the largest adapters, and few enough that a repetition takes the smallest some milliseconds. */
function attributesFor(kind: keyof ComputePeaks, { software }: Caps): PeakAttributes {
  const numbers = numbersOf[kind];
  return software ? { numbers, threads: 1 << 10, rounds: 256, chains: 3 } : { numbers, threads: 1 << 18, rounds: 128, chains: 8 };
}

const allKinds = ["f32", "f16", "packedDot"] as const;

/** Works of all shapes of workgroups, of which the fastest of a kind counts. */
export async function makePeakWorks(
  maker: WorkMaker,
  caps: Caps,
  kinds: ReadonlyArray<keyof ComputePeaks> = allKinds,
): Promise<PeakWork[]> {
  const making = kinds.flatMap((kind) => {
    const attributes = attributesFor(kind, caps);
    const target: KernelTarget = { caps, deviceClass: caps.deviceClass, precision: kind === "f16" ? "f16" : "f32", maxRows: 1 };
    const step = { rows: 1, outputRows: 1, contextTokens: 1 };
    const { macs } = peak.work(attributes, step);
    return peak.variants(attributes, target).map(async (variant): Promise<PeakWork> => ({
      kind,
      macs,
      work: await maker.makeVariant(peak, attributes, { variant, step: { rows: 1 } }),
    }));
  });
  return Promise.all(making);
}

/** The best of each kind. @param times  milliseconds of one repetition of each work */
export function peaksOf(works: ReadonlyArray<Pick<PeakWork, "kind" | "macs">>, times: readonly number[]): ComputePeaks {
  const best = (kind: keyof ComputePeaks): number =>
    Math.max(0, ...works.flatMap((work, index) => (work.kind === kind ? (work.macs * 1000) / times[index] : [])));
  const half = works.some(({ kind }) => kind === "f16");
  return { f32: best("f32"), ...(half && { f16: best("f16") }), packedDot: best("packedDot") };
}
