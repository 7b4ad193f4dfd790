// Attention as it is written down, over a buffer of all scores: what tiles are measured against; and what both share.

import { seededRng } from "../src/base/rng.ts";
import { type BufferLedger, storageUsage } from "../src/gpu/buffers.ts";
import type { Caps } from "../src/gpu/caps.ts";
import type { PipelineCache } from "../src/gpu/pipelines.ts";
import type { TimingOptions, Work } from "./measure.ts";
import naiveShader from "./reference/naive_attention.wgsl?raw";

/** Two heads: all scores of 4,096 tokens are then as large as a bound range of every adapter may be. */
export const shape: { readonly heads: number; readonly kvHeads: number; readonly headDim: number } = { heads: 2, kvHeads: 1, headDim: 64 };
const threads = 64;

export interface Arena {
  readonly device: GPUDevice;
  readonly caps: Caps;
  readonly pipelines: PipelineCache;
  readonly ledger: BufferLedger;
  readonly timing: TimingOptions;
}

/** Queries [tokens][heads][dim], keys and values [kv head][token][dim]. */
export interface Numbers {
  readonly tokens: number;
  readonly q: Float32Array<ArrayBuffer>;
  readonly k: Float32Array<ArrayBuffer>;
  readonly v: Float32Array<ArrayBuffer>;
}

export function makeNumbers(tokens: number): Numbers {
  const rng = seededRng(tokens);
  const make = (heads: number): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length: tokens * heads * shape.headDim }, () => rng.normal());
  return { tokens, q: make(shape.heads), k: make(shape.kvHeads), v: make(shape.kvHeads) };
}

export function bufferOf({ device, ledger }: Arena, label: string, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): GPUBuffer {
  const buffer = ledger.create("other", { label, size: data.byteLength, usage: storageUsage });
  device.queue.writeBuffer(buffer, 0, data);
  return buffer;
}

export function emptyBuffer({ ledger }: Arena, label: string, words: number): GPUBuffer {
  return ledger.create("other", { label, size: 4 * words, usage: storageUsage });
}

export function inTurn(works: readonly Work[]): Work {
  return (pass, repetition) => {
    for (const work of works) work(pass, repetition);
  };
}

/** The reference, with its buffer of all scores. */
export async function naive(arena: Arena, { tokens, q, k, v }: Numbers): Promise<{ work: Work; y: GPUBuffer; scoreBytes: number }> {
  const { device } = arena;
  const { heads, kvHeads, headDim } = shape;
  const scores = emptyBuffer(arena, "scores", heads * tokens * tokens);
  const y = emptyBuffer(arena, "y", q.length);
  const buffers = [bufferOf(arena, "q", q), bufferOf(arena, "k", k), bufferOf(arena, "v", v), scores, y];
  const consts = { TOKENS: tokens, HEADS: heads, KV_HEADS: kvHeads, D4: headDim / 4, WG: threads };
  const header = [
    ...Object.entries(consts).map(([name, value]) => `const ${name}: u32 = ${value}u;`),
    `const SCALE: f32 = ${1 / Math.sqrt(headDim)}f;`,
  ];
  const module = device.createShaderModule({ code: [...header, naiveShader].join("\n") });
  const layout = device.createBindGroupLayout({
    entries: buffers.map((_, binding) => ({ binding, visibility: 4, buffer: { type: binding < 3 ? "read-only-storage" : "storage" } })),
  });
  const group = device.createBindGroup({ layout, entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })) });
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
  const stages = [
    { entryPoint: "products", grid: [tokens / threads, tokens, heads] },
    { entryPoint: "softmax", grid: [tokens / threads, heads, 1] },
    { entryPoint: "weigh", grid: [(tokens * headDim) / 4 / threads, heads, 1] },
  ];
  const works: Work[] = [];
  for (const { entryPoint, grid } of stages) {
    const pipeline = await device.createComputePipelineAsync({ layout: pipelineLayout, compute: { module, entryPoint } });
    works.push((pass) => {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
    });
  }
  return { work: inTurn(works), y, scoreBytes: scores.size };
}
