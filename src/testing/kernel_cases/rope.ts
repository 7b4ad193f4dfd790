// Cases of the kernel rope.

import type { KernelCase } from "../../kernels/kernel.ts";
import type { RopeAttributes } from "../../kernels/rope.ts";

export const ropeCases: readonly KernelCase<RopeAttributes>[] = (["half", "interleaved"] as const).flatMap((pairing) => [
  { name: "1 head of 8", attributes: { heads: 1, headDim: 8, rotaryDim: 8, pairing, maxPositions: 4 }, rows: 1 },
  { name: "3 heads of 80", attributes: { heads: 3, headDim: 80, rotaryDim: 80, pairing, maxPositions: 64 }, rows: 33, pastTokens: 20 },
  {
    name: "5 heads of 48, 12 turn",
    attributes: { heads: 5, headDim: 48, rotaryDim: 12, pairing, maxPositions: 9 },
    rows: 2,
    pastTokens: 7,
  },
  {
    name: "7 sequences",
    attributes: { heads: 4, headDim: 64, rotaryDim: 64, pairing, maxPositions: 300 },
    rows: 7,
    pastTokens: 290,
    sequences: "each" as const,
  },
  {
    name: "after dropped tokens",
    attributes: { heads: 2, headDim: 32, rotaryDim: 32, pairing, maxPositions: 64 },
    rows: 5,
    pastTokens: 3,
    shift: 50,
  },
]);
