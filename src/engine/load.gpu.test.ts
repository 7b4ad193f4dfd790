// What goes on at the same time while a model loads.

import { expect, test } from "vitest";
import { gpuOrSkip } from "../testing/gpu.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { watchGpu } from "../testing/watched_gpu.ts";
import { loadSession } from "./load.ts";

/** Bytes whose reads, from the second on, wait: the first is the header's. */
class GatedBlob extends Blob {
  readonly #gate: Promise<void>;
  #reads = 0;

  constructor(bytes: BlobPart, gate: Promise<void>) {
    super([bytes]);
    this.#gate = gate;
  }

  override slice(start?: number, end?: number): Blob {
    const part = super.slice(start, end);
    if (++this.#reads === 1) return part;
    const read = part.arrayBuffer.bind(part);
    return Object.assign(part, { arrayBuffer: () => this.#gate.then(read) });
  }
}

test("pipelines are compiled while weights are read: weights that wait for pipelines do not stop a load", async (context) => {
  const gpu = await gpuOrSkip(context);
  let compiled: (() => void) | undefined;
  let pipelines = 0;
  const gate = new Promise<void>((resolve) => {
    compiled = resolve;
  });
  const watched = await watchGpu(gpu, (device) => ({
    createComputePipelineAsync: async (descriptor: GPUComputePipelineDescriptor) => {
      const pipeline = await device.createComputePipelineAsync(descriptor);
      pipelines++;
      compiled?.();
      return pipeline;
    },
  }));
  const phases: string[] = [];
  const session = await loadSession({
    model: new GatedBlob(Uint8Array.from(tinyModel()), gate),
    gpu: watched.gpu,
    onProgress: ({ phase }) => phases.push(phase),
  });
  expect(pipelines).toBeGreaterThan(0);
  expect(phases.indexOf("compile")).toBeLessThan(phases.indexOf("weights"));
  session.destroy();
});
