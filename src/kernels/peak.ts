// What an adapter computes from registers alone: no model runs this, it is the measure of kernels that memory does not bound.

import dotPart from "../../shaders/parts/peak/dot.wgsl?raw";
import fmaPart from "../../shaders/parts/peak/fma.wgsl?raw";
import peakShader from "../../shaders/peak.wgsl?raw";
import type { ShaderFile } from "../gpu/shader.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";

export interface PeakAttributes {
  /** What is multiplied: floats, or bytes four to an instruction. */
  readonly numbers: "f32" | "f16" | "bytes";
  /** A multiple of 256. */
  readonly threads: number;
  /** Rounds of four steps. */
  readonly rounds: number;
  /** Chains of a thread: eight hide a GPU's latency, three fit the vector registers of a CPU. */
  readonly chains: 3 | 8;
}

const dotFile: ShaderFile = { name: "parts/peak/dot.wgsl", text: dotPart };
const fmaFile: ShaderFile = { name: "parts/peak/fma.wgsl", text: fmaPart };
const stepsPerRound = 4;
/** Multiply-adds of a step of one chain. */
const macsPerStep = { f32: 4, f16: 4, bytes: 16 };

function variant({ numbers, threads, rounds, chains }: PeakAttributes, { precision }: KernelTarget, lanes: number): Variant {
  return {
    key: ["peak", numbers, `chains${chains}`, `lanes${lanes}`].join("/"),
    precision,
    header: {
      enables: numbers === "f16" ? ["f16"] : [],
      aliases: numbers === "bytes" ? {} : { num_t: numbers },
      consts: { WG: lanes, THREADS: threads, ROUNDS: rounds, WIDE: chains === 8 },
    },
    files: [{ name: "peak.wgsl", text: peakShader }, numbers === "bytes" ? dotFile : fmaFile],
    bindings: [
      { name: "x", from: "input0", type: "array<vec4<f32>>", access: "read" },
      { name: "y", from: "output0", type: "array<f32>", access: "read_write" },
    ],
    usesStep: false,
    grid: (step) => [threads / lanes, step.rows, 1],
  };
}

function variants(attributes: PeakAttributes, target: KernelTarget): readonly Variant[] {
  // Half precision is a class of its own: what is added up in it is no closer than that class promises.
  if (attributes.numbers === "f16" && !(target.caps.f16 && target.precision === "f16")) return [];
  const lanes = attributes.chains === 3 ? [8] : [64, 256];
  return lanes.filter((count) => count <= target.caps.maxWorkgroupInvocations).map((count) => variant(attributes, target, count));
}

/** y [rows, threads]: sums of chains of multiply-adds that start at the thread's number; x [rows, 8], of which the first row counts. */
export const peak: Kernel<PeakAttributes> = {
  name: "peak",
  outputs: ({ threads }) => [{ rows: "rows", cols: threads, type: "f32" }],
  variants,
  operands: () => ({ inputs: [{ rows: "rows", cols: 8, type: "f32" }] }),
  work: ({ numbers, threads, rounds, chains }, step) => ({
    bytes: step.rows * (32 + 4 * threads),
    macs: step.rows * threads * rounds * stepsPerRound * chains * macsPerStep[numbers],
  }),
};
