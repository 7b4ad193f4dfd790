// Bandwidth of the adapter as WGSL sees it: the best of a few copy kernels over buffers that no cache holds.

import type { Caps } from "../src/gpu/caps.ts";
import { createPipelineCache } from "../src/gpu/pipelines.ts";
import { timeWorks, type TimingOptions, type Work } from "./measure.ts";
import copyShader from "./reference/copy.wgsl?raw";

export interface CopyResult {
  /** Bytes of one buffer; a copy reads and writes that many. */
  readonly bytes: number;
  /** Bytes read and written per second, in GB/s (1e9), of each kernel. */
  readonly variants: ReadonlyArray<{ readonly name: string; readonly gigabytesPerSecond: number }>;
  /** The fastest of them. */
  readonly gigabytesPerSecond: number;
}

interface CopyShape {
  readonly wg: number;
  readonly each: number;
  readonly near: boolean;
}

const shapes: readonly CopyShape[] = [
  { wg: 256, each: 1, near: false },
  { wg: 256, each: 4, near: false },
  { wg: 64, each: 16, near: true },
  { wg: 8, each: 64, near: true },
];

const maxGrid = 65535;
const mebibyte = 1 << 20;

/** Larger than the last-level cache of its kind of adapter, where the limits allow. */
function copyBytes(caps: Caps): number {
  const wanted = caps.deviceClass === "cpu" ? 64 * mebibyte : 512 * mebibyte;
  return Math.min(wanted, caps.maxBindingBytes, caps.maxBufferBytes);
}

export async function measureCopy(device: GPUDevice, caps: Caps, options: TimingOptions = {}): Promise<CopyResult> {
  const bytes = copyBytes(caps);
  const units = bytes / 16;
  const usage = 0x80 | 0x08; // STORAGE | COPY_DST; the global constants are missing in Node
  const [x, y] = ["x", "y"].map((label) => device.createBuffer({ label, size: bytes, usage }));
  const pipelines = createPipelineCache(device, new Map([["copy.wgsl", copyShader]]));
  const works: Work[] = [];
  for (const shape of shapes) works.push(await copyWork(device, pipelines, { shape, units, x, y }));
  try {
    const times = await timeWorks(device, works, options);
    const variants = shapes.map(({ wg, each, near }, index) => ({
      name: `${wg} threads, ${each} ${near ? "neighbouring" : "strided"} units`,
      gigabytesPerSecond: (2 * bytes) / times[index] / 1e6,
    }));
    return { bytes, variants, gigabytesPerSecond: Math.max(...variants.map((variant) => variant.gigabytesPerSecond)) };
  } finally {
    x.destroy();
    y.destroy();
  }
}

async function copyWork(
  device: GPUDevice,
  pipelines: ReturnType<typeof createPipelineCache>,
  { shape, units, x, y }: { shape: CopyShape; units: number; x: GPUBuffer; y: GPUBuffer },
): Promise<Work> {
  const { wg, each, near } = shape;
  const groups = Math.ceil(units / each / wg);
  const gridX = Math.min(groups, maxGrid);
  const { pipeline, tensors } = await pipelines.get({
    label: `copy/${wg}x${each}`,
    header: { consts: { WG: wg, EACH: each, UNITS: units, GRID_X: gridX, NEAR: near } },
    bindings: [
      { name: "x", type: "array<vec4<u32>>", access: "read" },
      { name: "y", type: "array<vec4<u32>>", access: "read_write" },
    ],
    files: ["copy.wgsl"],
  });
  const group = device.createBindGroup({
    layout: tensors,
    entries: [x, y].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  return (pass) => {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(gridX, Math.ceil(groups / gridX));
  };
}
