// Moves kept tokens together in all layers, in the slot's own pages or, where others read them, in fresh ones; pages that are no longer needed
// are given back. Knows no policy.

import { assert, ShaderloomError } from "../base/errors.ts";
import { pagesFor } from "../base/layout.ts";
import type { Caps } from "../gpu/caps.ts";
import { createPipelineCache, type Pipeline } from "../gpu/pipelines.ts";
import { programRequest } from "../graph/program.ts";
import type { Operand, Variant } from "../kernels/kernel.ts";
import { kvCompact, type MoveList, packMoves } from "../kernels/kv_compact.ts";
import type { ShaderFiles } from "../kernels/shader_files.ts";
import { PagedCache } from "../kv/paged_cache.ts";
import type { EvictionBuffers } from "./eviction_buffers.ts";
import { compactAttributes } from "./eviction_plan.ts";
import type { LoadedModel } from "./model.ts";
import type { RunnerParts } from "./runner_parts.ts";

export interface CompactionParts {
  readonly parts: RunnerParts;
  readonly model: LoadedModel;
  /** Those of the load; there when the load drops tokens. */
  readonly buffers: EvictionBuffers | undefined;
  readonly shaders: Promise<ShaderFiles>;
  readonly caps: Caps;
}

export interface KeptLists {
  /** The first place that changes; lists begin with its token. */
  readonly first: number;
  /** Tokens that are left. */
  readonly kept: number;
  /** Lists of each layer: one a kv head; undefined where one list is for all. */
  readonly layers: number | undefined;
  readonly lists: readonly MoveList[];
}

export interface Compaction {
  /**
   * Submits the moves; the slot then has `kept` tokens.
   * @throws {ShaderloomError} CONTEXT.full when pages that somebody else holds cannot be left to them
   */
  run(slot: number, kept: KeptLists): void;
}

/** @throws {ShaderloomError} GPU.shader */
export async function openCompaction({ parts, model, buffers, shaders, caps }: CompactionParts): Promise<Compaction> {
  const target = { caps, deviceClass: caps.deviceClass, precision: model.activations, maxRows: 1 };
  const [variant] = kvCompact.variants(compactAttributes(model), target);
  assert(variant && buffers, "the plan looked whether there is a kernel, and placed what it takes");
  const pipeline = await createPipelineCache(parts.device, await shaders).get(programRequest(variant, 1));
  return {
    run: (slot, kept) => {
      const { cache } = parts;
      const from = cache.pages(slot);
      const [first, to] = cache instanceof PagedCache ? destinations(cache, slot, kept) : [kept.first, []];
      const ranges = movesOf({ ...kept, first }, kept.first - first, cache instanceof PagedCache ? [0, 1] : [slot, slot]);
      submit({ parts, buffers, variant, pipeline }, tableOf(model, from, to), ranges);
      if (cache instanceof PagedCache) cache.assign(slot, to);
      else cache.truncate(slot, kept.kept);
    },
  };
}

/** Where tokens go: pages that others read stay as they are. @returns the first place to be written, and pages with a reference each */
function destinations(cache: PagedCache, slot: number, { first, kept }: KeptLists): [number, number[]] {
  const { pageTokens } = cache.layout;
  const own = cache.pages(slot).slice(0, pagesFor(kept, cache.layout));
  const start = Math.floor(first / pageTokens);
  const written = own.slice(start);
  let fresh = cache.take(written.filter((page) => cache.shared(page)).length);
  if (!fresh) {
    // No room for both: nobody asks for the old ones right now.
    cache.prefix.forget(written);
    fresh = cache.take(written.filter((page) => cache.shared(page)).length);
  }
  if (!fresh) {
    throw new ShaderloomError(
      "CONTEXT.full",
      "Tokens are to be dropped whose pages are being saved, and there is no room for others. Try again in a moment, or give a larger kv.budget.",
    );
  }
  const spare = [...fresh];
  const to = own.map((page, index) => (index >= start && cache.shared(page) ? (spare.shift() ?? page) : page));
  cache.retain(to.filter((page, index) => page === own[index]));
  // A fresh page gets what stays in its place, too.
  return [to[start] === own[start] ? first : start * pageTokens, to];
}

/** Each layer's list, or one for all; `before`: tokens that stay in their places and are copied. */
function movesOf({ first, layers, lists }: KeptLists, before: number, slots: readonly [number, number]): Uint32Array<ArrayBuffer>[] {
  const whole = lists.map(({ sources, backs }): MoveList => {
    const still = Uint32Array.from({ length: before }, (_, index) => first + index);
    return { sources: joined(still, sources), backs: backs && joined(new Uint32Array(before), backs) };
  });
  if (layers === undefined) return [packMoves({ first, slots, lists: whole })];
  return Array.from({ length: whole.length / layers }, (_, layer) => {
    return packMoves({ first, slots, lists: whole.slice(layer * layers, (layer + 1) * layers) });
  });
}

function joined(left: Uint32Array, right: Uint32Array): Uint32Array {
  const both = new Uint32Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}

/** A page table with a row to read and one to write through. */
function tableOf({ kv }: LoadedModel, from: readonly number[], to: readonly number[]): Uint32Array<ArrayBuffer> {
  const table = new Uint32Array(Math.max(4, 2 * kv.maxPages));
  table.set(from);
  table.set(to, kv.maxPages);
  return table;
}

interface Dispatching {
  readonly parts: RunnerParts;
  readonly buffers: EvictionBuffers;
  readonly variant: Variant;
  readonly pipeline: Pipeline;
}

function submit(
  { parts, buffers, variant, pipeline }: Dispatching,
  table: Uint32Array<ArrayBuffer>,
  moves: readonly Uint32Array<ArrayBuffer>[],
): void {
  const { device, cache, weights } = parts;
  const { table: pages, moves: lists, movesStride: stride } = buffers;
  device.queue.writeBuffer(pages, 0, table);
  moves.forEach((words, index) => device.queue.writeBuffer(lists, index * stride, words));
  const operand = (from: Operand, layer: number): GPUBufferBinding => {
    if (from === "kv") return { buffer: cache.pool(layer) };
    if (from === "pages") return { buffer: pages };
    if (from === "table0") return { buffer: weights.table("rope") };
    const index = moves.length > 1 ? layer : 0;
    return { buffer: lists, offset: index * stride, size: moves[index].byteLength };
  };
  const encoder = device.createCommandEncoder({ label: "move tokens" });
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline.pipeline);
  for (let layer = 0; layer < cache.numLayers; layer++) {
    const entries = variant.bindings.map(({ from }, binding) => ({ binding, resource: operand(from, layer) }));
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.tensors, entries }));
    pass.dispatchWorkgroups(...variant.grid({ rows: 1, outputRows: 1, contextTokens: 1 }));
  }
  pass.end();
  device.queue.submit([encoder.finish()]);
}
