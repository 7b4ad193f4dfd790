// Compute pipelines by key: assembled, checked and compiled once, asynchronously, and shared by every dispatch that asks for
// the same text.

import { ShaderloomError } from "../base/errors.ts";
import { assemble, type ShaderRequest } from "./shader.ts";

/** A compiled pipeline and the layouts its bind groups are made for. */
export interface Pipeline {
  readonly label: string;
  readonly pipeline: GPUComputePipeline;
  /** Group 0: the operands. */
  readonly tensors: GPUBindGroupLayout;
  /** Group 1: the step state as uniform, when the shader reads it. */
  readonly step: GPUBindGroupLayout | undefined;
}

/** Owns nothing but promises; pipelines die with the device. */
export interface PipelineCache {
  get(request: ShaderRequest): Promise<Pipeline>;
  /** Distinct pipelines asked for so far. */
  readonly size: number;
}

export function createPipelineCache(device: GPUDevice, files: ReadonlyMap<string, string>): PipelineCache {
  const byCode = new Map<string, Promise<Pipeline>>();
  return {
    get(request) {
      const shader = assemble(request, files);
      const access = request.bindings.map((binding) => binding.access).join();
      const key = `${access}\n${shader.code}`;
      let pipeline = byCode.get(key);
      if (!pipeline) {
        pipeline = compile(device, request, shader);
        byCode.set(key, pipeline);
      }
      return pipeline;
    },
    get size() {
      return byCode.size;
    },
  };
}

const bufferTypes = { read: "read-only-storage", read_write: "storage", uniform: "uniform" } as const;

async function compile(device: GPUDevice, request: ShaderRequest, shader: ReturnType<typeof assemble>): Promise<Pipeline> {
  const { label, bindings } = request;
  const visibility = 4; // GPUShaderStage.COMPUTE; the global is missing in Node
  const tensors = device.createBindGroupLayout({
    label,
    entries: bindings.map(({ access }, binding) => ({
      binding,
      visibility,
      buffer: { type: bufferTypes[access] },
    })),
  });
  const step =
    request.stepRows === undefined
      ? undefined
      : device.createBindGroupLayout({ label: "step", entries: [{ binding: 0, visibility, buffer: { type: "uniform" } }] });
  // A text that does not compile is reported below, with its line, not as an error of the whole device.
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label, code: shader.code });
  const scope = device.popErrorScope();
  try {
    const pipeline = await device.createComputePipelineAsync({
      label,
      layout: device.createPipelineLayout({ label, bindGroupLayouts: step ? [tensors, step] : [tensors] }),
      compute: { module, entryPoint: "main" },
    });
    return { label, pipeline, tensors, step };
  } catch (cause) {
    await scope;
    const info = await module.getCompilationInfo();
    const errors = info.messages.filter((message) => message.type === "error");
    const lines = errors.map((message) => `${shader.locate(message.lineNum)}: ${message.message}`);
    const text = lines.length > 0 ? lines.join("; ") : String(cause);
    throw new ShaderloomError("GPU.shader", `The kernel ${label} does not compile on this adapter (${text}). Please report the adapter.`, {
      detail: { kernel: label },
      cause,
    });
  }
}
