// How the steps of a loaded model are run: what a caller may force, and in which ranges. Plain data, because options are checked
// before any of the runtime is loaded.

import type { FusionName } from "../graph/fuse/names.ts";

export { fusionNames } from "../graph/fuse/names.ts";
export type { FusionName } from "../graph/fuse/names.ts";

/** What may be forced about how steps run. Everything here changes speed; text only by rounding (`fusion`). For measuring and for bisecting. */
export interface ExecutionOptions {
  /**
   * Which kernel calls are joined into one. `auto` (default): the passes that pay on this kind of adapter. `off`: none. A list: these, wherever
   * the adapter has a kernel for them.
   */
  readonly fusion?: "auto" | "off" | readonly FusionName[] | undefined;
  /** Decode steps submitted ahead of the last token that was read, 1 to 32; left out, as many as hide the measured latency. */
  readonly tokensInFlight?: number | undefined;
  /** Most tokens of a prompt in one step, 1 to 256 (default 256). */
  readonly chunkTokens?: number | undefined;
  /** Longest submit of a prompt's step in milliseconds, 0 to 1000 (default 8, half a frame at 60 Hz); 0: one submit a step. */
  readonly frameBudgetMs?: number | undefined;
  /** Where tokens are chosen (default `gpu`); `cpu` reads all logits of each token back. The same seed gives the same text in both. */
  readonly sampler?: "gpu" | "cpu" | undefined;
  /** Of a streamed model: layers that stay on the GPU, as far as the memory budget has room for them; left out, chosen by measurement. */
  readonly residentLayers?: number | undefined;
  /** Of a streamed model: layers read ahead of what the GPU computes, 0.1 to 8; left out, chosen by measurement. */
  readonly prefetchLayers?: number | undefined;
  /**
   * Feed-forward blocks from the bundles of neurons that tokens needed lately, in `budget` bytes on the GPU; all bundles are kept
   * beside the stored model, else in memory. Text differs where bundles are missing that a token needs, and prompts are read token by token. `threshold`: outputs of
   * neurons smaller than this count as zero (default 0), for activations without exact zeros. Not with a memory budget.
   */
  readonly neurons?: { readonly budget: number; readonly threshold?: number | undefined } | undefined;
}

/** The numbers of `ExecutionOptions`: both ends belong to a range. */
export const executionRanges = {
  tokensInFlight: { min: 1, max: 32, integer: true },
  chunkTokens: { min: 1, max: 256, integer: true },
  frameBudgetMs: { min: 0, max: 1000, integer: false },
  residentLayers: { min: 0, max: 1024, integer: true },
  prefetchLayers: { min: 0.1, max: 8, integer: false },
} as const;
