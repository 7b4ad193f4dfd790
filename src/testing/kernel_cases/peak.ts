// Cases of the kernel peak.

import type { KernelCase } from "../../kernels/kernel.ts";
import type { PeakAttributes } from "../../kernels/peak.ts";

export const peakCases: readonly KernelCase<PeakAttributes>[] = (["f32", "f16", "bytes"] as const).flatMap((numbers) =>
  ([3, 8] as const).map((chains) => ({
    name: `${chains} chains of ${numbers}`,
    attributes: { numbers, threads: 256, rounds: 4, chains },
    rows: 2,
  })),
);
