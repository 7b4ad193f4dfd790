// Counts what a step asks of WebGPU, by wrapping the methods of the classes themselves while a test runs.

export interface GpuCounts {
  createBuffer: number;
  createBindGroup: number;
  createComputePipeline: number;
  writeBuffer: number;
  writtenBytes: number;
  submit: number;
  beginComputePass: number;
  dispatch: number;
  readBytes: number;
}

const zero: GpuCounts = {
  createBuffer: 0,
  createBindGroup: 0,
  createComputePipeline: 0,
  writeBuffer: 0,
  writtenBytes: 0,
  submit: 0,
  beginComputePass: 0,
  dispatch: 0,
  readBytes: 0,
};

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
  wrap(device, "createBuffer", () => counts.createBuffer++);
  wrap(device, "createBindGroup", () => counts.createBindGroup++);
  wrap(device, "createComputePipeline", () => counts.createComputePipeline++);
  wrap(device, "createComputePipelineAsync", () => counts.createComputePipeline++);
  wrap(device.queue, "submit", () => counts.submit++);
  wrap(device.queue, "writeBuffer", (args) => {
    counts.writeBuffer++;
    counts.writtenBytes += writtenBytes(args);
  });
  wrap(encoder, "beginComputePass", () => counts.beginComputePass++);
  wrap(pass, "dispatchWorkgroups", () => counts.dispatch++);
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
