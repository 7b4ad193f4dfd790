// Steps of a model whose layers are streamed: one after another, each cut before every layer that has to be waited for. Knows which dispatches
// read which layer; the feed knows when it is there.

import { assert, ShaderloomError } from "../base/errors.ts";
import type { KernelCall } from "../graph/call.ts";
import type { DispatchRange } from "../graph/program.ts";
import type { Feed } from "../streaming/feed.ts";
import { layerOf } from "../streaming/sections.ts";
import type { PartedStep, PhaseName, StepGate, StepStream } from "./runner_parts.ts";

/** Dispatches of a program from the first that reads a streamed layer to the last. */
export function streamedRuns(calls: readonly KernelCall[], streamed: ReadonlySet<number>): readonly DispatchRange[] {
  const runs = new Map<number, { start: number; end: number }>();
  for (const [index, { weights }] of calls.entries()) {
    for (const { tensor } of weights) {
      const layer = layerOf(tensor);
      if (layer === undefined || !streamed.has(layer)) continue;
      const run = runs.get(layer) ?? { start: index, end: index };
      run.end = index + 1;
      runs.set(layer, run);
    }
  }
  const sorted = [...runs.values()].toSorted((a, b) => a.start - b.start);
  assert(
    sorted.every(({ end }, index) => end <= (sorted[index + 1]?.start ?? Infinity)),
    "a layer's dispatches come before those of the next",
  );
  return sorted;
}

/** What steps waited for. */
export interface StallCounters {
  /** Steps of the decode program, and milliseconds in which the GPU had nothing to do because weights were not there. */
  readonly decodeSteps: number;
  readonly decodeStallMs: number;
}

export interface StreamedStepsOptions {
  readonly queue: Pick<GPUQueue, "onSubmittedWorkDone">;
  readonly feed: Feed;
  /** Runs of each program. */
  readonly runs: Readonly<Record<PhaseName, readonly DispatchRange[]>>;
  /** Dispatches of the decode program's body. */
  readonly bodyEnd: number;
}

/** Owns the order of steps. */
export class StreamedSteps implements StepStream {
  readonly #options: StreamedStepsOptions;
  #last: Promise<unknown> = Promise.resolve();
  #epoch = 0;
  #decodeSteps = 0;
  #decodeStallMs = 0;
  /** When the GPU ended everything submitted; undefined while it works. */
  #idleSince: number | undefined = 0;
  #submits = 0;
  readonly #pieces = new Map<number, DispatchRange>();
  readonly #tails = new Map<readonly string[], readonly string[]>();

  constructor(options: StreamedStepsOptions) {
    this.#options = options;
  }

  get counters(): StallCounters {
    return { decodeSteps: this.#decodeSteps, decodeStallMs: this.#decodeStallMs };
  }

  step<T>(phase: PhaseName, submit: (gate: StepGate) => Promise<T>): Promise<T> {
    const epoch = this.#epoch;
    const mine = this.#last.then(() => {
      if (epoch !== this.#epoch) throw leftError();
      this.#options.feed.begin();
      return submit(this.#gate(phase, epoch));
    });
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  decode<T>(step: PartedStep<T>): Promise<T> {
    const { bodyEnd } = this.#options;
    const tail = this.#tailOf(step.sections);
    return this.step("decode", async (gate) => {
      step.begin();
      for (let start = 0; ;) {
        await gate.ready(start);
        const end = Math.min(gate.end(start), bodyEnd);
        const piece = this.#pieceOf(start, end);
        if (end < bodyEnd) step.submit([piece]);
        const result = end < bodyEnd ? undefined : { value: step.finish([piece, tail]) };
        gate.passed(end);
        if (result) return result.value;
        start = end;
      }
    });
  }

  abandon(): void {
    this.#epoch++;
    this.#options.feed.interrupt(leftError());
  }

  async settled(): Promise<void> {
    await this.#last;
  }

  /** The same object each time, because recordings go by it. */
  #pieceOf(start: number, end: number): DispatchRange {
    const piece = this.#pieces.get(start) ?? { start, end };
    this.#pieces.set(start, piece);
    return piece;
  }

  /** What follows the body, likewise. */
  #tailOf(sections: readonly string[]): readonly string[] {
    const tail = this.#tails.get(sections) ?? sections.slice(1);
    this.#tails.set(sections, tail);
    return tail;
  }

  #gate(phase: PhaseName, epoch: number): StepGate {
    const { feed, runs: allRuns, queue } = this.#options;
    const runs = allRuns[phase];
    let run = 0;
    /** Since when a layer is waited for. */
    let waitingMs: number | undefined;
    if (phase === "decode") this.#decodeSteps++;
    return {
      ready: (start) => {
        if (run >= runs.length || runs[run].start !== start) return undefined;
        const ready = feed.ready();
        waitingMs = ready && performance.now();
        return ready;
      },
      end: (start) => {
        if (epoch !== this.#epoch) throw leftError();
        return runs.find((one) => one.start > start)?.start ?? Infinity;
      },
      passed: (end) => {
        const now = performance.now();
        if (waitingMs !== undefined && this.#idleSince !== undefined && phase === "decode") {
          this.#decodeStallMs += now - Math.max(this.#idleSince, waitingMs);
        }
        waitingMs = undefined;
        while (run < runs.length && runs[run].end <= end) {
          feed.submitted();
          run++;
        }
        const submits = ++this.#submits;
        this.#idleSince = undefined;
        const ended = (): void => {
          if (submits === this.#submits) this.#idleSince = performance.now();
        };
        void queue.onSubmittedWorkDone().then(ended, ended);
      },
    };
  }
}

/** Nobody waits for a step that was left: only who lets go of it sees this. */
function leftError(): ShaderloomError {
  return new ShaderloomError("AbortError", "The step was left before it was submitted.");
}
