// What a step calls on its pass, written down once: steps of the same rows replay it. A call into WebGPU takes a fifth of a microsecond, and
// finding out what to call with takes longer.

import type { StepShape, Variant } from "../kernels/kernel.ts";

/** A dispatch with all that it needs. */
export interface BoundDispatch {
  readonly variant: Variant;
  readonly pipeline: GPUComputePipeline;
  readonly tensors: GPUBindGroup;
}

/** Some dispatches for steps of one shape; how long the context is may differ. */
export class Recording {
  readonly #rows: number;
  readonly #outputRows: number;
  readonly #stepState: GPUBindGroup | undefined;
  readonly #pipelines: Array<GPUComputePipeline | undefined> = [];
  readonly #tensors: GPUBindGroup[] = [];
  /** Three numbers for each dispatch. */
  readonly #grids: number[] = [];
  /** Dispatches whose grid follows the length of the context. */
  readonly #following: Array<{ readonly index: number; readonly variant: Variant }> = [];
  #contextTokens: number;

  /** @param stepState  the bind group of the step's state, where any dispatch reads it */
  constructor(dispatches: Iterable<BoundDispatch>, step: StepShape, stepState?: GPUBindGroup) {
    const { rows, outputRows, contextTokens } = step;
    this.#rows = rows;
    this.#outputRows = outputRows;
    this.#contextTokens = contextTokens;
    this.#stepState = stepState;
    let asked = false;
    // Which grids follow the context is seen, so that no kernel has to tell.
    const watched: StepShape = {
      rows,
      outputRows,
      get contextTokens() {
        asked = true;
        return contextTokens;
      },
    };
    let last: GPUComputePipeline | undefined;
    for (const { variant, pipeline, tensors } of dispatches) {
      asked = false;
      this.#grids.push(...variant.grid(watched));
      if (asked) this.#following.push({ index: this.#tensors.length, variant });
      // What a pass already has is not set again.
      this.#pipelines.push(pipeline === last ? undefined : pipeline);
      this.#tensors.push(tensors);
      last = pipeline;
    }
  }

  /** Whether it is about steps of this shape. */
  holds({ rows, outputRows }: StepShape): boolean {
    return rows === this.#rows && outputRows === this.#outputRows;
  }

  /** @param step  of the shape recorded */
  replay(pass: GPUComputePassEncoder, step: StepShape): void {
    if (step.contextTokens !== this.#contextTokens) this.#follow(step);
    const pipelines = this.#pipelines;
    const tensors = this.#tensors;
    const grids = this.#grids;
    if (this.#stepState) pass.setBindGroup(1, this.#stepState);
    for (let index = 0, grid = 0; index < tensors.length; index++, grid += 3) {
      const pipeline = pipelines[index];
      if (pipeline !== undefined) pass.setPipeline(pipeline);
      pass.setBindGroup(0, tensors[index]);
      pass.dispatchWorkgroups(grids[grid], grids[grid + 1], grids[grid + 2]);
    }
  }

  #follow(step: StepShape): void {
    this.#contextTokens = step.contextTokens;
    for (const { index, variant } of this.#following) {
      const [x, y, z] = variant.grid(step);
      this.#grids[3 * index] = x;
      this.#grids[3 * index + 1] = y;
      this.#grids[3 * index + 2] = z;
    }
  }
}
