// What a runner works on; others make it.

import type { Readback } from "../gpu/readback.ts";
import type { Lowered } from "../graph/lower.ts";
import type { BindTable, Program, StepPart } from "../graph/program.ts";
import type { KvCache } from "../kv/kv_cache.ts";
import type { Control } from "./control.ts";
import type { SamplingState } from "./sampling_state.ts";

export interface CompiledPhase {
  readonly program: Program;
  readonly lowered: Lowered;
}

export type PhaseName = "prefill" | "decode";

/** How a step goes through weights that are not all on the GPU. A submit begins at 0 and wherever `end` says. */
export interface StepGate {
  /** Waits until what the dispatch at `start` reads is there; nothing to wait for when it is. @throws {ShaderloomError} why it cannot be read */
  ready(start: number): Promise<void> | undefined;
  /**
   * One past the last dispatch that may be submitted with the one at `start`. Asked right before the submit.
   * @throws {ShaderloomError} AbortError when the step was left
   */
  end(start: number): number;
  /** Everything before `end` is submitted. */
  passed(end: number): void;
}

/** A decode step that can be submitted in parts. */
export interface PartedStep<T> {
  /** The first is the body, and begins with the program. */
  readonly sections: readonly string[];
  /** Writes what the step begins with. */
  begin(): void;
  submit(parts: readonly StepPart[]): void;
  /** Submits the last parts. */
  finish(parts: readonly StepPart[]): T;
}

/** Runs steps one after another, because their weights come one after another. */
export interface StepStream {
  /** @param submit  submits a step; called when the steps before are submitted */
  step<T>(phase: PhaseName, submit: (gate: StepGate) => Promise<T>): Promise<T>;
  /** `step` of a decode step. @throws {ShaderloomError} as `StepGate` */
  decode<T>(step: PartedStep<T>): Promise<T>;
  /** Steps that are not wholly submitted end: nothing of them is submitted after this call. */
  abandon(): void;
  /** Resolves when no step is under way. */
  settled(): Promise<void>;
}

export interface RunnerParts {
  readonly device: GPUDevice;
  readonly readback: Readback;
  readonly control: Control;
  readonly cache: KvCache;
  readonly sampling: SamplingState;
  readonly prefill: CompiledPhase;
  readonly decode: CompiledPhase;
  readonly weights: Pick<BindTable, "slab" | "table">;
  /** Attention that a layer's keys got, where a policy drops tokens by it. */
  readonly scores?: BindTable["scores"] | undefined;
  readonly vocabSize: number;
  readonly scoreTopK: number;
  /** Longest submit of prefill; a default when not given, 0 for one a chunk. */
  readonly frameBudgetMs?: number | undefined;
  /** Where layers are streamed. */
  readonly stream?: StepStream | undefined;
}
