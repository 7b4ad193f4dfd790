// Runs sample_tiles and sample_pick as a decode step does, for many sequences at once and many draws in one submit. Logits stay the same
// from draw to draw; options, counts and masks are those of a SamplingState.

import { chosenWords, rowStride } from "../base/layout.ts";
import { SamplingState } from "../engine/sampling_state.ts";
import type { Caps, DeviceClass } from "../gpu/caps.ts";
import { BufferLedger, readbackUsage, storageUsage, uniformUsage } from "../gpu/buffers.ts";
import { createPipelineCache, type Pipeline } from "../gpu/pipelines.ts";
import { programRequest } from "../graph/program.ts";
import { type Kernel, operandStride, type Variant } from "../kernels/kernel.ts";
import { samplePick } from "../kernels/sample_pick.ts";
import type { SampleAttributes } from "../kernels/sample_rows.ts";
import { sampleTiles } from "../kernels/sample_tiles.ts";
import { shaderFiles } from "./shader_files.ts";
import { packRows, packStep } from "../tuning/operands.ts";

export interface SamplerShape {
  readonly vocabSize: number;
  /** Sequences, up to 256; row i has slot i. */
  readonly rows: number;
  readonly caps: Caps;
  readonly deviceClass: DeviceClass;
}

export interface GpuSampler {
  readonly state: SamplingState;
  /** @param logits [rows, V] */
  setLogits(logits: Float32Array): void;
  /** The words of each row of each draw: [draws][rows][chosenWords]. */
  draw(draws: number): Promise<Uint32Array>;
  /** Words of a buffer of the state as they are. */
  read(which: "sampling" | "adjust"): Promise<Uint32Array>;
  destroy(): void;
}

/** Room of the step state, whatever a test runs: pipelines are then the same for equal vocabularies. */
const stepRows = 256;

interface Stage {
  readonly variant: Variant;
  readonly pipeline: Pipeline;
  readonly group: GPUBindGroup;
}

export async function createGpuSampler(device: GPUDevice, shape: SamplerShape): Promise<GpuSampler> {
  const { vocabSize, rows, caps, deviceClass } = shape;
  const ledger = new BufferLedger(device);
  const state = new SamplingState(device, ledger, { slots: rows, vocabSize });
  const make = (label: string, size: number): GPUBuffer => ledger.create("other", { label, size, usage: storageUsage | uniformUsage });
  const attributes = { cols: vocabSize };
  const [candidates, tiles] = sampleTiles.outputs(attributes).map((spec, index) => make(`output${index}`, 4 * rows * operandStride(spec)));
  const logits = make("logits", 4 * rows * rowStride(vocabSize));
  const chosen = make("chosen", 4 * rows * chosenWords);
  const slots = Array.from({ length: rows }, (_, slot) => ({ token: 0, position: 0, slot }));
  const stepWords = packStep(slots, [...slots.keys()], stepRows);
  const step = make("step", stepWords.byteLength);
  device.queue.writeBuffer(step, 0, stepWords);
  const pipelines = createPipelineCache(device, shaderFiles);
  const stage = async (kernel: Kernel<SampleAttributes>, buffers: Readonly<Record<string, GPUBuffer>>): Promise<Stage> => {
    const [variant] = kernel.variants(attributes, { caps, deviceClass, precision: "f32", maxRows: rows });
    const pipeline = await pipelines.get(programRequest(variant, stepRows));
    const own = { sampling: state.sampling.buffer, adjust: state.adjust.buffer, mask: state.mask.buffer, ...buffers };
    const bound = new Map(Object.entries(own));
    const entries = variant.bindings.map(({ from }, binding) => ({ binding, resource: { buffer: bound.get(from) ?? fail(from) } }));
    return { variant, pipeline, group: device.createBindGroup({ layout: pipeline.tensors, entries }) };
  };
  const stages = [
    await stage(sampleTiles, { input0: logits, output0: candidates, output1: tiles }),
    await stage(samplePick, { input0: logits, input1: candidates, input2: tiles, output0: chosen }),
  ];
  const layout = stages[0].pipeline.step ?? fail("step");
  const stepGroup = device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer: step } }] });
  const read = (from: GPUBuffer, encode?: (encoder: GPUCommandEncoder) => void): Promise<Uint32Array> => readAll(device, from, encode);
  return {
    state,
    setLogits: (values) => {
      device.queue.writeBuffer(logits, 0, packRows({ rows, cols: vocabSize, data: values }, rowStride(vocabSize), "f32"));
    },
    draw: async (draws) => {
      const all = ledger.create("other", { label: "draws", size: draws * chosen.size });
      const words = await read(all, (encoder) => {
        for (let draw = 0; draw < draws; draw++) {
          encodeDraw(encoder, { stages, stepGroup, rows });
          encoder.copyBufferToBuffer(chosen, 0, all, draw * chosen.size, chosen.size);
        }
      });
      ledger.destroy(all);
      return words;
    },
    read: (which) => read(state[which].buffer),
    destroy: () => ledger.destroyAll(),
  };
}

function fail(what: string): never {
  throw new Error(`nothing is bound to ${what}`);
}

interface Encoded {
  readonly stages: readonly Stage[];
  readonly stepGroup: GPUBindGroup;
  readonly rows: number;
}

function encodeDraw(encoder: GPUCommandEncoder, { stages, stepGroup, rows }: Encoded): void {
  const pass = encoder.beginComputePass();
  pass.setBindGroup(1, stepGroup);
  for (const { variant, pipeline, group } of stages) {
    const grid = variant.grid({ rows, outputRows: rows, contextTokens: 1 });
    pass.setPipeline(pipeline.pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
  }
  pass.end();
}

/** All of a buffer after what `encode` adds. */
async function readAll(device: GPUDevice, from: GPUBuffer, encode?: (encoder: GPUCommandEncoder) => void): Promise<Uint32Array> {
  const target = device.createBuffer({ size: from.size, usage: readbackUsage });
  const encoder = device.createCommandEncoder();
  encode?.(encoder);
  encoder.copyBufferToBuffer(from, 0, target, 0, from.size);
  device.queue.submit([encoder.finish()]);
  await target.mapAsync(1); // GPUMapMode.READ
  const words = new Uint32Array(target.getMappedRange().slice(0));
  target.destroy();
  return words;
}
