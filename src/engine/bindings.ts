// The buffers of a model that its programs do not own, as they are bound.

import { assert } from "../base/errors.ts";
import type { BindTable } from "../graph/program.ts";
import type { CompiledPhase, PhaseName, RunnerParts } from "./runner_parts.ts";

type Bound = Pick<RunnerParts, "cache" | "control" | "sampling" | "scores" | "weights">;

/** What a phase's program is bound to. */
export function bindingsOf(parts: Bound, phase: PhaseName): BindTable {
  const { cache, control, weights } = parts;
  const { sampling, adjust, mask } = parts.sampling;
  const tail = (layer: number): GPUBuffer => {
    const found = cache.tail(layer);
    assert(found, `${cache.layout.type} has no tails`);
    return found;
  };
  const state = phase === "prefill" ? control.prefillState : control.decodeState;
  const scores = parts.scores && { scores: parts.scores };
  return { ...weights, ...scores, kv: (layer) => cache.pool(layer), tail, pages: control.pages, sampling, adjust, mask, state };
}

/** Binds both programs. */
export function bindPrograms(parts: Bound & Readonly<Record<PhaseName, CompiledPhase>>): void {
  for (const phase of ["prefill", "decode"] as const) parts[phase].program.bind(bindingsOf(parts, phase));
}
