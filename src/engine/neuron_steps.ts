// Steps of a model whose neurons are streamed: one token each and one after another, because what a token needed decides what is there for the
// next. A token that probably lacked much is run again up to its logits. Knows no weights and no files.

import { ShaderloomError } from "../base/errors.ts";
import type { DispatchRange } from "../graph/program.ts";
import type { NeuronCache, ReportBuffers } from "../streaming/neurons/neuron_cache.ts";
import type { PartedStep, PhaseName, StepGate, StepStream } from "./runner_parts.ts";

export interface NeuronStepsOptions {
  readonly queue: Pick<GPUQueue, "submit">;
  readonly encoder: () => GPUCommandEncoder;
  readonly cache: NeuronCache;
  /** Where each program leaves what a token needed. */
  readonly reports: Readonly<Record<PhaseName, readonly ReportBuffers[]>>;
  /** The decode program up to its last layer: what is run again. */
  readonly body: DispatchRange;
}

/** A token of which more than this share of the active neurons was missing is run again, at most so often. */
const lacking = 0.02;
const mostRuns = 3;

/** A step is not cut. */
const openGate: Omit<StepGate, "ready"> = { end: () => Infinity, passed: () => undefined };

export class NeuronSteps implements StepStream {
  readonly #options: NeuronStepsOptions;
  readonly #tails = new Map<readonly string[], readonly string[]>();
  #last: Promise<unknown> = Promise.resolve();
  #epoch = 0;
  #closed: ShaderloomError | undefined;
  /** Ends what the step under way waits for. */
  #interrupt: ((error: ShaderloomError) => void) | undefined;

  constructor(options: NeuronStepsOptions) {
    this.#options = options;
  }

  step<T>(phase: PhaseName, submit: (gate: StepGate) => Promise<T>): Promise<T> {
    return this.#turn(async (check) => {
      const gate = { ...openGate, ready: (start: number) => (start === 0 ? this.#ready().then(check) : undefined) };
      const result = await submit(gate);
      await this.#report(phase);
      return result;
    });
  }

  decode<T>(step: PartedStep<T>): Promise<T> {
    const { body } = this.#options;
    return this.#turn(async (check) => {
      for (let runs = 1; ; runs++) {
        await this.#ready();
        check();
        if (runs === 1) step.begin();
        step.submit([body]);
        const missing = await this.#report("decode");
        check();
        if (missing <= lacking || runs >= mostRuns) break;
      }
      return step.finish([this.#tailOf(step.sections)]);
    });
  }

  abandon(): void {
    this.#epoch++;
    this.#interrupt?.(leftError());
  }

  /** Nothing is submitted any more. @param error  what a step that waits is told */
  close(error: ShaderloomError): void {
    this.#closed = error;
    this.#interrupt?.(error);
  }

  async settled(): Promise<void> {
    await this.#last;
  }

  /** Bundles are there, which a store may be long about. */
  async #ready(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#interrupt = reject;
      void this.#options.cache.beforeToken().then(resolve, reject);
    });
    this.#interrupt = undefined;
  }

  /** Runs after the steps before. */
  #turn<T>(run: (check: () => void) => Promise<T>): Promise<T> {
    const epoch = this.#epoch;
    const check = (): void => {
      if (this.#closed) throw this.#closed;
      if (epoch !== this.#epoch) throw leftError();
    };
    const mine = this.#last.then(() => {
      check();
      return run(check);
    });
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  #report(phase: PhaseName): Promise<number> {
    const { cache, queue, encoder, reports } = this.#options;
    const commands = encoder();
    cache.encodeReport(commands, reports[phase]);
    queue.submit([commands.finish()]);
    return cache.afterToken();
  }

  /** What follows the body; the same object each time, because recordings go by it. */
  #tailOf(sections: readonly string[]): readonly string[] {
    const tail = this.#tails.get(sections) ?? sections.slice(1);
    this.#tails.set(sections, tail);
    return tail;
  }
}

/** Nobody waits for a step that was left: only who lets go of it sees this. */
function leftError(): ShaderloomError {
  return new ShaderloomError("AbortError", "The step was left before it was submitted.");
}
