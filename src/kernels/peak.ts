// What an adapter computes from registers alone: no model runs this, it is the measure of kernels that memory does not bound.

import dotPart from "../../shaders/parts/peak/dot.wgsl?raw";
import fmaPart from "../../shaders/parts/peak/fma.wgsl?raw";
import peakShader from "../../shaders/peak.wgsl?raw";
import type { ShaderFile } from "../gpu/shader.ts";
import type { CpuArgs, CpuTensor, Kernel, KernelTarget, Variant } from "./kernel.ts";

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

/** As the shader does, so that chains of any length settle. */
function cut(value: number): number {
  return Math.min(Math.max(value, -0.5), 0.5);
}

/** Component `at` of the chain that begins with `start`, after all steps. */
function floatChain(start: number, at: number, { data, steps }: { data: Float32Array; steps: number }): number {
  const [a, b] = [cut(data[at]), cut(data[4 + at])];
  let c = start & 7;
  for (let step = 0; step < steps; step++) c = c * a + b;
  return c;
}

function byteChain(start: number, at: number, { data, steps }: { data: Float32Array; steps: number }): number {
  const other = new Int8Array(data.buffer, data.byteOffset + (at < 2 ? 16 : 0) + 4 * at, 4);
  const bytes = new Int8Array(4);
  const word = new Int32Array(bytes.buffer);
  word[0] = start;
  for (let step = 0; step < steps; step++) word[0] += bytes.reduce((sum, byte, index) => sum + byte * other[index], 0);
  return word[0];
}

function reference({ numbers, threads, rounds, chains }: PeakAttributes, { inputs }: CpuArgs): readonly CpuTensor[] {
  const [x] = inputs;
  const data = new Float32Array(x.rows * threads);
  const given = { data: x.data.slice(0, 8), steps: rounds * stepsPerRound };
  const totalOf = (start: number): number => {
    if (numbers !== "bytes") return [0, 1, 2, 3].reduce((sum, at) => sum + floatChain(start, at, given), 0);
    const [cx, cy, cz, cw] = [0, 1, 2, 3].map((at) => byteChain(start, at, given));
    return ((cx ^ cy) + (cz ^ cw)) | 0;
  };
  const totals = Float64Array.from({ length: threads + chains }, (_, start) => totalOf(start));
  for (let index = 0; index < data.length; index++) {
    const thread = index % threads;
    for (let chain = 0; chain < chains; chain++) data[index] += totals[thread + chain];
  }
  return [{ rows: x.rows, cols: threads, data }];
}

/** y [rows, threads]: sums of chains of multiply-adds that start at the thread's number; x [rows, 8], of which the first row counts. */
export const peak: Kernel<PeakAttributes> = {
  name: "peak",
  outputs: ({ threads }) => [{ rows: "rows", cols: threads, type: "f32" }],
  variants,
  reference,
  operands: () => ({ inputs: [{ rows: "rows", cols: 8, type: "f32" }] }),
  work: ({ numbers, threads, rounds, chains }, step) => ({
    bytes: step.rows * (32 + 4 * threads),
    macs: step.rows * threads * rounds * stepsPerRound * chains * macsPerStep[numbers],
  }),
};
