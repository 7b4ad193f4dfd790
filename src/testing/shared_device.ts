// A GPU whose devices outlive those who open them, and that compiles a text once: for tests that load the same model again and again, where
// drivers that compile on the CPU take seconds for each load. Tests of loss, or of what a device is left with, open their own.

import { overlay } from "./watched_gpu.ts";

/** One device for each set of features and limits. */
export function shareDevices(gpu: GPU): GPU {
  const shared = new Map<string, Promise<SharedDevice>>();
  return overlay(gpu, {
    async requestAdapter(options) {
      const adapter = await gpu.requestAdapter(options);
      if (!adapter) return null;
      const requestDevice: GPUAdapter["requestDevice"] = async (descriptor) => {
        const key = JSON.stringify([options, [...(descriptor?.requiredFeatures ?? [])], descriptor?.requiredLimits]);
        const opened = shared.get(key) ?? adapter.requestDevice(descriptor).then((device) => new SharedDevice(device));
        shared.set(key, opened);
        return (await opened).lend();
      };
      return overlay(adapter, { requestDevice });
    },
  });
}

class SharedDevice {
  readonly #device: GPUDevice;
  readonly #texts = new WeakMap<GPUShaderModule, string>();
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** The device as its own to whoever opens it: what it allocates goes with `destroy`. */
  lend(): GPUDevice {
    const device = this.#device;
    const buffers = new Set<GPUBuffer>();
    const ended = new AbortController();
    return overlay(device, {
      createBuffer(descriptor) {
        const buffer = device.createBuffer(descriptor);
        buffers.add(buffer);
        return buffer;
      },
      createShaderModule: (descriptor) => {
        const module = device.createShaderModule(descriptor);
        this.#texts.set(module, descriptor.code);
        return module;
      },
      createComputePipelineAsync: (descriptor) => this.#compile(descriptor),
      addEventListener: (type: string, listener: EventListener) => device.addEventListener(type, listener, { signal: ended.signal }),
      destroy() {
        ended.abort();
        for (const buffer of buffers) buffer.destroy();
        return undefined;
      },
    });
  }

  #compile(descriptor: GPUComputePipelineDescriptor): Promise<GPUComputePipeline> {
    const { module, entryPoint, constants } = descriptor.compute;
    const key = JSON.stringify([this.#texts.get(module), entryPoint, constants]);
    const compiled = this.#pipelines.get(key) ?? this.#device.createComputePipelineAsync(descriptor);
    this.#pipelines.set(key, compiled);
    return compiled;
  }
}
