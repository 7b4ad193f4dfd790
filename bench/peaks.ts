// What an adapter computes from registers: multiply-adds in f32, in f16 where there is, and of packed bytes. The measure of
// kernels that are not bound by memory.

import type { Caps } from "../src/gpu/caps.ts";
import { createPipelineCache, type PipelineCache } from "../src/gpu/pipelines.ts";
import { timeWorks, type TimingOptions, type Work } from "./measure.ts";
import dotPart from "./reference/peak_dot.wgsl?raw";
import fmaPart from "./reference/peak_fma.wgsl?raw";
import mainShader from "./reference/peak.wgsl?raw";

/** Multiply-adds per second, in 1e9; each the best of a few shapes. */
export interface Peaks {
  readonly f32: number;
  readonly f16?: number;
  /** Of bytes, four to an instruction. */
  readonly packedDot: number;
}

interface PeakShape {
  readonly wg: number;
  readonly wide: boolean;
}

const shapes: readonly PeakShape[] = [
  { wg: 64, wide: true },
  { wg: 256, wide: true },
  { wg: 8, wide: false },
];

const rounds = 256;
/** Threads of a dispatch. */
const threads = { gpu: 1 << 19, cpu: 1 << 10 };

async function peakWork(
  device: GPUDevice,
  pipelines: PipelineCache,
  { kind, shape, count, buffers }: { kind: keyof Peaks; shape: PeakShape; count: number; buffers: readonly GPUBuffer[] },
): Promise<Work> {
  const half = kind === "f16";
  const { pipeline, tensors } = await pipelines.get({
    label: `peak/${kind}/${shape.wg}`,
    header: {
      enables: half ? ["f16"] : [],
      aliases: kind === "packedDot" ? {} : { num_t: kind },
      consts: { WG: shape.wg, ROUNDS: rounds, WIDE: shape.wide },
    },
    bindings: [
      { name: "x", type: "array<vec4<f32>>", access: "read" },
      { name: "y", type: "array<f32>", access: "read_write" },
    ],
    files: ["peak.wgsl", kind === "packedDot" ? "peak_dot.wgsl" : "peak_fma.wgsl"],
  });
  const group = device.createBindGroup({
    layout: tensors,
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  return (pass) => {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(count / shape.wg);
  };
}

export async function measurePeaks(device: GPUDevice, caps: Caps, options: TimingOptions = {}): Promise<Peaks> {
  const count = threads[caps.software ? "cpu" : "gpu"];
  const usage = 0x80 | 0x08; // STORAGE | COPY_DST; the global constants are missing in Node
  const x = device.createBuffer({ size: 32, usage });
  // c * 0.5 + 0.25 stays near 0.5 for ever.
  device.queue.writeBuffer(x, 0, Float32Array.of(0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25));
  const y = device.createBuffer({ size: count * 4, usage });
  const pipelines = createPipelineCache(
    device,
    new Map([
      ["peak.wgsl", mainShader],
      ["peak_dot.wgsl", dotPart],
      ["peak_fma.wgsl", fmaPart],
    ]),
  );
  const measure = async (kind: keyof Peaks): Promise<number> => {
    const works: Work[] = [];
    for (const shape of shapes) works.push(await peakWork(device, pipelines, { kind, shape, count, buffers: [x, y] }));
    const times = await timeWorks(device, works, options);
    const lanes = kind === "packedDot" ? 16 : 4;
    const rates = times.map((ms, index) => (count * rounds * 4 * lanes * (shapes[index].wide ? 8 : 3)) / ms / 1e6);
    return Math.max(...rates);
  };
  try {
    const f32 = await measure("f32");
    const packedDot = await measure("packedDot");
    return { f32, packedDot, ...(caps.f16 ? { f16: await measure("f16") } : {}) };
  } finally {
    x.destroy();
    y.destroy();
  }
}
