// What a load under a budget asks for, in the terms of a load: whether to stream, and then to open the stream. The one door to this chunk.

import type { BufferLedger } from "../gpu/buffers.ts";
import type { LayoutPlan } from "../base/layout.ts";
import type { ExecutionOptions } from "./execution.ts";
import type { LoadedModel } from "./model.ts";
import type { LoadReport } from "./progress.ts";
import { type Residency, residencyFor as residencyWithin, type ResidencyOptions } from "./residency.ts";
import type { RunnerParts } from "./runner_parts.ts";
import { openStreaming, type Streaming } from "./streamed.ts";
import { type ModelOrigin, originFacts } from "./image_place.ts";

export interface ResidencyLoad extends Omit<ResidencyOptions, "facts"> {
  readonly origin: ModelOrigin;
  readonly checkWeights: boolean | undefined;
}

/**
 * How the load streams; undefined when everything fits.
 * @throws {ShaderloomError} GPU.budget
 */
export async function residencyFor({ origin, checkWeights, ...rest }: ResidencyLoad, memoryBudget: number): Promise<Residency | undefined> {
  return residencyWithin({ ...rest, facts: await originFacts(origin, checkWeights) }, memoryBudget);
}

export interface StreamingLoad {
  readonly parts: Omit<RunnerParts, "stream">;
  readonly residency: Residency;
  /** By name: what is fixed, and what kernels were checked in, which ends here. */
  readonly slabs: Map<string, GPUBuffer>;
  readonly layout: LayoutPlan;
  readonly model: LoadedModel;
  readonly origin: ModelOrigin;
  readonly checkWeights: boolean | undefined;
  readonly execution: ExecutionOptions;
  readonly ledger: BufferLedger;
  readonly report: LoadReport;
  readonly signal: AbortSignal;
  readonly advice: () => string;
}

/** @throws {ShaderloomError} as `openStreaming` */
export async function openStreamed(load: StreamingLoad): Promise<Streaming> {
  const { parts, residency, slabs, layout, model, origin, checkWeights, execution, ledger, report, signal, advice } = load;
  for (const { name } of residency.trial) {
    const buffer = slabs.get(name);
    if (buffer) ledger.destroy(buffer);
    slabs.delete(name);
  }
  const work = { origin, model, layout, plan: residency.image, checkWeights, report, signal };
  const wish = { residentLayers: execution.residentLayers, prefetchLayers: execution.prefetchLayers };
  return openStreaming({ parts, residency, work, ledger, wish, advice });
}
