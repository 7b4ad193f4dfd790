// What dropping tokens takes of the GPU, made with everything else at the load, so that a budget counts it and no conversation fails for it.

import { alignUp } from "../base/math.ts";
import { type BufferLedger, readbackUsage } from "../gpu/buffers.ts";
import type { BindTable } from "../graph/program.ts";
import { movesHeader } from "../kernels/eviction_layout.ts";
import { scoreBytes } from "../kernels/kv_scores.ts";
import { keptTokens } from "../kv/policies/kept.ts";
import { defaultSink, type KvEvictOptions } from "./kv_options.ts";
import type { LoadedModel } from "./model.ts";

export interface EvictionBuffers {
  /** A page table with a row to read and one to write through. */
  readonly table: GPUBuffer;
  /** Lists of moves, `[layer]` of `movesStride` bytes; one for all of a window. */
  readonly moves: GPUBuffer;
  readonly movesStride: number;
  /** Attention that a layer's keys got, where the policy goes by it; and where it is read. */
  readonly scores?: NonNullable<BindTable["scores"]>;
  readonly readback?: GPUBuffer;
}

export function placeEviction(
  { kv, config }: Pick<LoadedModel, "kv" | "config">,
  { policy, keep, sink = defaultSink }: KvEvictOptions,
  ledger: BufferLedger,
): EvictionBuffers {
  const make = (label: string, size: number, usage?: number): GPUBuffer =>
    ledger.create("other", { label, size, ...(usage !== undefined && { usage }) });
  const lists = policy === "window" ? 1 : kv.numKvHeads;
  const movesStride = alignUp(4 * (movesHeader + 2 * lists * keptTokens({ keep, sink })), 256);
  const layers = policy === "window" ? 1 : config.numLayers;
  const moving = { table: make("moved pages", Math.max(16, 8 * kv.maxPages)), moves: make("moves", layers * movesStride), movesStride };
  if (policy === "window") return moving;
  const size = scoreBytes(kv);
  const buffer = make("attention scores", config.numLayers * size);
  const readback = make("attention scores, read", config.numLayers * size, readbackUsage);
  return { ...moving, scores: (layer) => ({ buffer, offset: layer * size, size }), readback };
}
