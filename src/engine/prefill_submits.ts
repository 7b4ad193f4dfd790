// Prefill steps as submits that leave the GPU to the page in between: cut where the pace says, few outstanding, none after an abort.

import { untilAborted } from "../base/abort.ts";
import { throwIfAborted } from "../base/errors.ts";
import type { ReadbackSlot } from "../gpu/readback.ts";
import type { StepDispatch } from "../graph/program.ts";
import type { StepRow, StepShape } from "../kernels/kernel.ts";
import { type Load, loadOf, type PrefillPace } from "./prefill_pace.ts";
import type { RunnerParts, StepGate } from "./runner_parts.ts";
import { choosingOf, copyResult, prefillSections, readResult, type StepResult, type Wanted } from "./step_result.ts";

/** Empty submits by which is told how late the browser tells; after the first, a timer's ticks show in full. */
const probes = 3;

export interface PrefillStep {
  /** Consecutive positions of one slot, whose pages are reserved. */
  readonly rows: readonly StepRow[];
  /** What is wanted of the last row, if anything. */
  readonly wanted?: Wanted | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Of rows that were computed before. */
  readonly again?: boolean | undefined;
}

interface Outstanding {
  readonly loads: readonly Load[];
  readonly done: Promise<void>;
}

/** Owns the prefill submits that the GPU has not ended. */
export class PrefillSubmits {
  readonly #parts: RunnerParts;
  readonly #pace: PrefillPace;
  readonly #outstanding: Outstanding[] = [];

  constructor(parts: RunnerParts, pace: PrefillPace) {
    this.#parts = parts;
    this.#pace = pace;
  }

  get counters(): { readonly count: number; readonly longestMs: number } {
    return this.#pace.submits;
  }

  /** Finds out how late the browser tells that work is done. On a device that is lost it tells nothing. */
  async measureLatency(): Promise<void> {
    const { queue } = this.#parts.device;
    for (let probe = 0; probe < probes; probe++) {
      const start = performance.now();
      queue.submit([]);
      await queue.onSubmittedWorkDone();
      // One that waited for other work says nothing.
      if (this.#outstanding.length > 0) return;
      this.#pace.heardAfter(performance.now() - start);
    }
  }

  /** Rows of the next chunk, which begins at a position, at most `most`. */
  rows(position: number, most: number): number {
    return this.#pace.rows(most, (rows) => this.#dispatches(shapeOf(rows, position + rows), ["body"]).map(({ load }) => load));
  }

  /**
   * Runs rows through the model. Without `wanted` they are only submitted.
   * @throws {ShaderloomError} AbortError between submits, GPU.numeric, GRAMMAR.dead_end
   */
  async run(step: PrefillStep): Promise<StepResult> {
    const { stream, scoreTopK } = this.#parts;
    const readback = await (stream ? stream.step("prefill", (gate) => this.#submitAll(step, gate)) : this.#submitAll(step));
    return readback && step.wanted ? readResult(await readback.read(), step.wanted, scoreTopK) : {};
  }

  async #submitAll({ rows, wanted, signal }: PrefillStep, gate?: StepGate): Promise<ReadbackSlot | undefined> {
    const { device, control, prefill, sampling } = this.#parts;
    control.writePrefill({ rows, outputRows: [rows.length - 1] });
    const shape = shapeOf(rows.length, rows[rows.length - 1].position + 1);
    const choosing = choosingOf(prefill.lowered, sampling.takesBest(rows[0].slot));
    const dispatches = this.#dispatches(shape, wanted ? prefillSections[choosing][wanted] : ["body"]);
    const loads = dispatches.map(({ load }) => load);
    for (let start = 0; ;) {
      while (!this.#pace.mayFollow(this.#outstanding.map((submit) => submit.loads))) await this.#outstanding[0].done;
      const ready = gate?.ready(start);
      if (ready) await untilAborted(ready, signal);
      throwIfAborted(signal);
      const most = gate?.end(start) ?? Infinity;
      const end = Math.min(this.#pace.cut(loads, start), most);
      const encoder = device.createCommandEncoder({ label: "prefill" });
      const pass = encoder.beginComputePass();
      for (const { index } of dispatches.slice(start, end)) prefill.program.encodeOne(pass, index, shape);
      pass.end();
      const slot = end === loads.length && wanted ? copyResult(encoder, this.#parts, { phase: prefill, wanted }) : undefined;
      this.#submit(encoder.finish(), loads.slice(start, end));
      gate?.passed(end);
      if (end === loads.length) return slot;
      start = end;
    }
  }

  #dispatches(shape: StepShape, sections: readonly string[]): Array<StepDispatch & { readonly load: Load }> {
    return this.#parts.prefill.program.dispatches(shape, sections).map((dispatch) => {
      const { call } = dispatch;
      return {
        ...dispatch,
        load: loadOf(
          call.kernel,
          call.visit((kernel, attributes) => kernel.work(attributes, shape)),
        ),
      };
    });
  }

  #submit(commands: GPUCommandBuffer, loads: readonly Load[]): void {
    const { queue } = this.#parts.device;
    queue.submit([commands]);
    const submittedMs = performance.now();
    const ended = (): void => {
      this.#outstanding.shift();
      this.#pace.ended(loads, { submittedMs, doneMs: performance.now() });
    };
    // A device that is lost ends them all, and says so elsewhere.
    this.#outstanding.push({ loads, done: queue.onSubmittedWorkDone().then(ended, ended) });
  }
}

function shapeOf(rows: number, contextTokens: number): StepShape {
  return { rows, outputRows: 1, contextTokens };
}
