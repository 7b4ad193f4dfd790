// Counts what a step asks of WebGPU, by wrapping the methods of the classes themselves while a test runs.

export interface GpuCounts {
  /** Objects of every kind but command encoders, their passes and command buffers, which WebGPU takes one of for each submit. */
  created: number;
  createBuffer: number;
  createBindGroup: number;
  createComputePipeline: number;
  createQuerySet: number;
  createCommandEncoder: number;
  writeBuffer: number;
  writtenBytes: number;
  submit: number;
  beginComputePass: number;
  /** Passes with timestamps. */
  timedPasses: number;
  dispatch: number;
  readBytes: number;
}

const zero: GpuCounts = {
  created: 0,
  createBuffer: 0,
  createBindGroup: 0,
  createComputePipeline: 0,
  createQuerySet: 0,
  createCommandEncoder: 0,
  writeBuffer: 0,
  writtenBytes: 0,
  submit: 0,
  beginComputePass: 0,
  timedPasses: 0,
  dispatch: 0,
  readBytes: 0,
};

/** Methods of a device that make something that lasts. */
const creators = [
  "createBuffer",
  "createBindGroup",
  "createComputePipeline",
  "createComputePipelineAsync",
  "createRenderPipeline",
  "createRenderPipelineAsync",
  "createBindGroupLayout",
  "createPipelineLayout",
  "createShaderModule",
  "createQuerySet",
  "createTexture",
  "createSampler",
  "createRenderBundleEncoder",
] as const;

type Method = (this: object, ...args: unknown[]) => unknown;

/** Starts counting; `take` gives the counts since the last `take`, `stop` restores the classes. */
export function countGpuCalls(device: GPUDevice): { take(): GpuCounts; stop(): void } {
  let counts = { ...zero };
  const restore: Array<() => void> = [];
  const wrap = (object: object, name: string, note: (args: unknown[]) => void): void => {
    const prototype = ownerOf(object, name);
    const original = Reflect.get(prototype, name) as Method;
    const wrapped: Method = function wrapped(...args) {
      note(args);
      return original.apply(this, args);
    };
    Reflect.set(prototype, name, wrapped);
    restore.push(() => Reflect.set(prototype, name, original));
  };
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  const buffer = device.createBuffer({ size: 16, usage: 0x80 });
  for (const name of creators) {
    const counter = name.replace("Async", "");
    wrap(device, name, () => {
      counts.created++;
      if (isCounter(counter)) counts[counter]++;
    });
  }
  wrap(device, "createCommandEncoder", () => counts.createCommandEncoder++);
  wrap(device.queue, "submit", () => counts.submit++);
  wrap(device.queue, "writeBuffer", (args) => {
    counts.writeBuffer++;
    counts.writtenBytes += writtenBytes(args);
  });
  wrap(encoder, "beginComputePass", ([descriptor]) => {
    counts.beginComputePass++;
    if (descriptor !== undefined && (descriptor as GPUComputePassDescriptor).timestampWrites !== undefined) counts.timedPasses++;
  });
  wrap(pass, "dispatchWorkgroups", () => counts.dispatch++);
  wrap(pass, "dispatchWorkgroupsIndirect", () => counts.dispatch++);
  wrap(buffer, "getMappedRange", (args) => (counts.readBytes += Number(args[1] ?? 0)));
  pass.end();
  encoder.finish();
  buffer.destroy();
  return {
    take() {
      const taken = counts;
      counts = { ...zero };
      return taken;
    },
    stop() {
      for (const undo of restore) undo();
    },
  };
}

function isCounter(name: string): name is keyof GpuCounts {
  return Object.hasOwn(zero, name);
}

function writtenBytes(args: unknown[]): number {
  const data = args[2] as Uint32Array;
  const elements = args[4] as number | undefined;
  return elements === undefined ? data.byteLength : elements * data.BYTES_PER_ELEMENT;
}

/** The prototype that defines a method. */
function ownerOf(object: object, name: string): object {
  let owner: object | null = object;
  while (owner && !Object.hasOwn(owner, name)) owner = Object.getPrototypeOf(owner) as object | null;
  if (!owner) throw new Error(`${name} is not a method`);
  return owner;
}
