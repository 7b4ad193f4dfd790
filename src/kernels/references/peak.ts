// What the kernel of peaks should give.

import type { CpuArgs, CpuTensor } from "../kernel.ts";
import type { PeakAttributes } from "../peak.ts";

/** As PeakAttributes says. */
const stepsPerRound = 4;

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

export function peakReference({ numbers, threads, rounds, chains }: PeakAttributes, { inputs }: CpuArgs): readonly CpuTensor[] {
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
