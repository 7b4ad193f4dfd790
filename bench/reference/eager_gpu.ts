// A GPU whose steps are encoded as by runtimes that plan nothing: for each dispatch a new bind group, a write of its parameters and a pass of
// its own (WebLLM does so; ggml-webgpu has all but the pass). What it runs stays the same, so a program can be compared with itself.

import { overlay } from "../../src/testing/watched_gpu.ts";

/** Bytes of parameters that a dispatch is given, at an offset that bindings may have. */
const paramBytes = 16;
const paramStride = 256;
const mostParams = 256;
/** Behind all bindings that kernels have. */
const paramBinding = 31;

/** Wraps a GPU for a model of its own. */
export function eagerGpu(gpu: GPU): GPU {
  return overlay(gpu, {
    async requestAdapter(options) {
      const adapter = await gpu.requestAdapter(options);
      if (!adapter) return null;
      const requestDevice: GPUAdapter["requestDevice"] = async (descriptor) => eagerDevice(await adapter.requestDevice(descriptor));
      return overlay(adapter, { requestDevice });
    },
  });
}

function eagerDevice(device: GPUDevice): GPUDevice {
  const descriptors = new WeakMap<GPUBindGroup, GPUBindGroupDescriptor>();
  const params = device.createBuffer({ label: "params", size: paramStride * mostParams, usage: 0x40 | 0x08 }); // UNIFORM | COPY_DST
  const values = new Uint32Array(paramBytes / 4);
  const withParams = ({ layout, entries }: GPUBindGroupDescriptor, dispatch: number): GPUBindGroupDescriptor => {
    const offset = paramStride * (dispatch % mostParams);
    return { layout, entries: [...entries, { binding: paramBinding, resource: { buffer: params, offset, size: paramBytes } }] };
  };
  // An object and no proxy: what that costs would count.
  const eagerPass = (encoder: GPUCommandEncoder): Partial<GPUComputePassEncoder> => {
    const groups: GPUBindGroup[] = [];
    let pipeline: GPUComputePipeline | undefined;
    let dispatches = 0;
    return {
      setPipeline(next) {
        pipeline = next;
        return undefined;
      },
      setBindGroup(index: number, group: GPUBindGroup | null | undefined) {
        if (group) groups[index] = group;
        return undefined;
      },
      dispatchWorkgroups(x, y, z) {
        const descriptor = descriptors.get(groups[0]);
        if (!pipeline || !descriptor) throw new Error("a dispatch without a pipeline or bind group");
        values[0] = dispatches;
        device.queue.writeBuffer(params, paramStride * (dispatches % mostParams), values);
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, device.createBindGroup(withParams(descriptor, dispatches++)));
        if (groups[1]) pass.setBindGroup(1, groups[1]);
        pass.dispatchWorkgroups(x, y, z);
        pass.end();
        return undefined;
      },
      end: () => undefined,
    };
  };
  return overlay(device, {
    createBindGroupLayout(descriptor) {
      const entry = { binding: paramBinding, visibility: 0x4, buffer: { type: "uniform" as const } }; // COMPUTE
      return device.createBindGroupLayout({ ...descriptor, entries: [...descriptor.entries, entry] });
    },
    createBindGroup(descriptor) {
      const group = device.createBindGroup(withParams(descriptor, 0));
      descriptors.set(group, { ...descriptor, entries: [...descriptor.entries] });
      return group;
    },
    createCommandEncoder(descriptor) {
      const encoder = device.createCommandEncoder(descriptor);
      // Passes that are timed by the GPU are no part of a step.
      return overlay(encoder, {
        beginComputePass: (wish) =>
          wish?.timestampWrites ? encoder.beginComputePass(wish) : (eagerPass(encoder) as GPUComputePassEncoder),
      });
    },
  });
}
