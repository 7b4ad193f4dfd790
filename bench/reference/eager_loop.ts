// A decode step as runtimes encode it that plan nothing: for each dispatch a new bind group, a write of its parameters and a pass of its
// own (WebLLM and ggml-webgpu do so). The kernel does nothing, so that only the JavaScript and the browser's share show.

const shader = `
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> params: vec4<u32>;
@compute @workgroup_size(1) fn main() { if (params.x == 77u) { y[0] = x[0]; } }`;

export interface EagerLoop {
  /** Encodes a step and submits it. @returns milliseconds of encoding */
  step(dispatches: number): number;
  destroy(): void;
}

export function createEagerLoop(device: GPUDevice): EagerLoop {
  const module = device.createShaderModule({ code: shader });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const layout = pipeline.getBindGroupLayout(0);
  const [x, y] = ["x", "y"].map((label) => device.createBuffer({ label, size: 1024, usage: 0x80 }));
  const params = device.createBuffer({ label: "params", size: 65536, usage: 0x40 | 0x08 }); // UNIFORM | COPY_DST
  const values = new Uint32Array(4);
  const encode = (encoder: GPUCommandEncoder, index: number): void => {
    const offset = (index % 256) * 256;
    values[1] = index;
    device.queue.writeBuffer(params, offset, values);
    const entries = [{ buffer: x }, { buffer: y }, { buffer: params, offset, size: 16 }];
    const group = device.createBindGroup({ layout, entries: entries.map((resource, binding) => ({ binding, resource })) });
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(1);
    pass.end();
  };
  return {
    step(dispatches) {
      const start = performance.now();
      const encoder = device.createCommandEncoder();
      for (let index = 0; index < dispatches; index++) encode(encoder, index);
      const commands = encoder.finish();
      const ms = performance.now() - start;
      device.queue.submit([commands]);
      return ms;
    },
    destroy() {
      for (const buffer of [x, y, params]) buffer.destroy();
    },
  };
}
