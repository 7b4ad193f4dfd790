// What a runner works on; others make it.

import type { Readback } from "../gpu/readback.ts";
import type { Lowered } from "../graph/lower.ts";
import type { BindTable, Program } from "../graph/program.ts";
import type { PagedCache } from "../kv/paged_cache.ts";
import type { Control } from "./control.ts";
import type { SamplingState } from "./sampling_state.ts";

export interface CompiledPhase {
  readonly program: Program;
  readonly lowered: Lowered;
}

export interface RunnerParts {
  readonly device: GPUDevice;
  readonly readback: Readback;
  readonly control: Control;
  readonly cache: PagedCache;
  readonly sampling: SamplingState;
  readonly prefill: CompiledPhase;
  readonly decode: CompiledPhase;
  readonly weights: Pick<BindTable, "slab" | "table">;
  readonly vocabSize: number;
  readonly scoreTopK: number;
  /** Longest submit of prefill; a default when not given, 0 for one a chunk. */
  readonly frameBudgetMs?: number | undefined;
}
