// Decides what happens with a model that was picked: it is loaded at once, or its verdict is shown first and a person decides.
// Owns the estimate under way and the measurement of the adapter; shows nothing itself.

import type { AdapterProbe, Estimate, EstimateOptions } from "../index.ts";
import { sourceOptions, type ModelSource } from "./model_host.ts";
import { asProblem, isAbort, type Problem } from "./problem.ts";

export interface EstimateFunctions {
  readonly estimate: (options: EstimateOptions) => Promise<Estimate>;
  /** Whether the whole of it is stored here, so that nothing is left to decide. */
  readonly isStored: (source: ModelSource) => Promise<boolean>;
}

/** `first`: the beginning of the file is read, then this GPU is measured, once; `header`: only the file is read. */
export type EstimateStep = "first" | "header";

export interface ChoiceEvents {
  /** To be loaded now. */
  onLoad(source: ModelSource): void;
  onStep(source: ModelSource, step: EstimateStep): void;
  onEstimate(source: ModelSource, estimate: Estimate): void;
  /** The header could not be read, or is none. */
  onFail(problem: Problem, source: ModelSource): void;
  onCancel(source: ModelSource): void;
}

interface Work {
  readonly controller: AbortController;
  readonly source: ModelSource;
}

export class ModelChoice {
  readonly #functions: EstimateFunctions;
  readonly #events: ChoiceEvents;
  #probe: AdapterProbe | undefined;
  #work: Work | undefined;

  constructor(functions: EstimateFunctions, events: ChoiceEvents) {
    this.#functions = functions;
    this.#events = events;
  }

  /** Loads what needs no decision, shows the verdict of the rest. Never rejects. */
  async pick(source: ModelSource): Promise<void> {
    const { bundled, location } = source;
    if (bundled || typeof location !== "string" || location.startsWith("stored:")) {
      this.#work?.controller.abort();
      return this.#load(source);
    }
    await this.#run(source, async (work) => {
      const stored = await this.#functions.isStored(source);
      if (this.#work !== work) return;
      if (stored) return this.#load(source);
      const estimate = await this.#estimate(work);
      if (this.#work !== work) return;
      // Stored under an address that this page cannot see through.
      if (estimate.downloadBytes === 0 && estimate.fits) return this.#load(source);
      this.#end();
      this.#events.onEstimate(source, estimate);
    });
  }

  /** Shows the verdict in any case. Never rejects. */
  async assess(source: ModelSource): Promise<void> {
    await this.#run(source, async (work) => {
      const estimate = await this.#estimate(work);
      if (this.#work !== work) return;
      this.#end();
      this.#events.onEstimate(source, estimate);
    });
  }

  /** Gives up the estimate under way. */
  cancel(): void {
    const work = this.#work;
    this.#end();
    work?.controller.abort();
    if (work) this.#events.onCancel(work.source);
  }

  #load(source: ModelSource): void {
    this.#end();
    this.#events.onLoad(source);
  }

  #end(): void {
    this.#work = undefined;
  }

  async #run(source: ModelSource, steps: (work: Work) => Promise<void>): Promise<void> {
    this.#work?.controller.abort();
    const work: Work = { controller: new AbortController(), source };
    this.#work = work;
    try {
      await steps(work);
    } catch (thrown) {
      if (this.#work !== work) return;
      this.#end();
      const problem = asProblem(thrown);
      if (isAbort(problem)) this.#events.onCancel(source);
      else this.#events.onFail(problem, source);
    }
  }

  async #estimate(work: Work): Promise<Estimate> {
    const { signal } = work.controller;
    const known = this.#probe;
    if (this.#work === work) this.#events.onStep(work.source, known === undefined ? "first" : "header");
    const estimate = await this.#functions.estimate({
      ...sourceOptions(work.source),
      signal,
      ...(known === undefined ? {} : { probe: known }),
    });
    this.#probe = estimate.probe ?? known;
    return estimate;
  }
}
