// Runs one dispatch of a variant on given operands and reads back all that it wrote. Leaves nothing on the GPU, whatever happens.

import { assert, ShaderloomError } from "../base/errors.ts";
import { alignUp } from "../base/math.ts";
import { BufferLedger, readbackUsage, storageUsage, uniformUsage } from "../gpu/buffers.ts";
import type { Pipeline } from "../gpu/pipelines.ts";
import type { StepShape, Variant } from "../kernels/kernel.ts";

/** What an operand's buffer is filled with. */
export interface GpuOperand {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface Execution {
  readonly variant: Variant;
  readonly pipeline: Pipeline;
  readonly shape: StepShape;
  /** By name; outputs with what they hold before. */
  readonly operands: ReadonlyMap<string, GpuOperand>;
  readonly step: Uint8Array<ArrayBuffer>;
}

/** Bytes of the operands that were written, by name. */
export type Found = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/** Most workgroups of a dimension (`maxComputeWorkgroupsPerDimension` of every adapter). */
const maxGrid = 65535;

/**
 * @throws {ShaderloomError} GPU.error when the device refuses the dispatch, GPU.oom, GPU.lost
 */
export async function execute(device: GPUDevice, execution: Execution, within?: BufferLedger): Promise<Found> {
  const ledger = new BufferLedger(device, within);
  try {
    const reading = await scoped(device, execution.variant.key, () => submit(device, ledger, execution));
    const found = new Map<string, Uint8Array<ArrayBuffer>>();
    for (const [name, buffer] of reading) found.set(name, await read(buffer));
    return found;
  } finally {
    ledger.destroyAll();
  }
}

/**
 * Runs something of a variant between error scopes that nothing else can get into: `run` awaits nothing.
 * @throws {ShaderloomError} GPU.error when the device refuses it, GPU.oom, GPU.lost; what `run` throws
 */
export async function scoped<T>(device: GPUDevice, key: string, run: () => T): Promise<T> {
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  let outcome: { readonly value: T } | { readonly thrown: unknown };
  try {
    outcome = { value: run() };
  } catch (thrown) {
    outcome = { thrown };
  }
  const scopes = [device.popErrorScope(), device.popErrorScope()];
  const [validation, memory] = await Promise.all(scopes).catch(lost);
  if (memory) throw new ShaderloomError("GPU.oom", `The GPU has too little memory to check its kernels. ${memory.message}`);
  if (validation) throw new ShaderloomError("GPU.error", `The GPU refused ${key}: ${validation.message}`);
  if ("thrown" in outcome) throw outcome.thrown;
  return outcome.value;
}

/** A mapping or a scope that failed: that happens with the device only. */
export function lost(cause: unknown): never {
  throw new ShaderloomError("GPU.lost", "The browser lost the GPU device. Load the model again.", { retryable: true, cause });
}

/** Everything up to the submit, with nothing awaited, so that the error scopes hold this and nothing else. */
function submit(device: GPUDevice, ledger: BufferLedger, { variant, pipeline, shape, operands, step }: Execution): Map<string, GPUBuffer> {
  const grid = variant.grid(shape);
  assert(
    grid.every((count) => count <= maxGrid),
    `the grid ${grid.join("x")} of ${variant.key} is over the limit`,
  );
  const encoder = device.createCommandEncoder({ label: variant.key });
  const buffers = variant.bindings.map(({ from }) => {
    const operand = from === "shape" ? { bytes: new Uint8Array(variant.shape?.buffer ?? []) } : operands.get(from);
    assert(operand, `${variant.key} binds ${from}, which the kernel's operands lack`);
    return fill(device, ledger, from, operand);
  });
  const state = ledger.create("other", { label: "step", size: step.byteLength, usage: uniformUsage | storageUsage });
  device.queue.writeBuffer(state, 0, step);
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline.pipeline);
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.tensors, entries }));
  if (pipeline.step) {
    pass.setBindGroup(1, device.createBindGroup({ layout: pipeline.step, entries: [{ binding: 0, resource: { buffer: state } }] }));
  }
  pass.dispatchWorkgroups(...grid);
  pass.end();
  const reading = new Map<string, GPUBuffer>();
  for (const [index, { from, access }] of variant.bindings.entries()) {
    if (access !== "read_write") continue;
    const target = ledger.create("other", { label: "check", size: buffers[index].size, usage: readbackUsage });
    encoder.copyBufferToBuffer(buffers[index], 0, target, 0, target.size);
    reading.set(from, target);
  }
  device.queue.submit([encoder.finish()]);
  return reading;
}

function fill(device: GPUDevice, ledger: BufferLedger, label: string, { bytes }: GpuOperand): GPUBuffer {
  const padded = bytes.byteLength % 4 === 0 ? bytes : padTo4(bytes);
  const buffer = ledger.create("other", {
    label,
    size: Math.max(16, padded.byteLength),
    ...(label === "shape" && { usage: uniformUsage | storageUsage }),
  });
  device.queue.writeBuffer(buffer, 0, padded);
  return buffer;
}

function padTo4(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const padded = new Uint8Array(alignUp(bytes.byteLength, 4));
  padded.set(bytes);
  return padded;
}

async function read(buffer: GPUBuffer): Promise<Uint8Array<ArrayBuffer>> {
  await buffer.mapAsync(1).catch(lost); // GPUMapMode.READ
  return new Uint8Array(buffer.getMappedRange().slice(0));
}
