// Runs steps: fills the control buffer, encodes a program in one pass, submits once and reads back what was asked for. Knows
// programs and pages, no policy and no text.

import type { ReadbackSlot } from "../gpu/readback.ts";
import type { StepRow } from "../kernels/kernel.ts";
import { type RowScore, scorePrompt } from "./prompt_scores.ts";
import type { CompiledPhase, RunnerParts } from "./runner_parts.ts";
import { readResult, resultBytes, type StepResult, type Wanted } from "./step_result.ts";

/** A decode step of one slot. */
export interface DecodeStep {
  readonly slot: number;
  readonly position: number;
  /** Undefined when the step before chose it on the GPU, which has it. */
  readonly token: number | undefined;
  readonly wanted: Wanted;
}

export interface RunnerCounters {
  readonly steps: number;
  readonly decodeSteps: number;
  readonly encodeMs: number;
}

/** Rows of consecutive positions of one slot. */
export function consecutiveRows(ids: readonly number[], position: number, slot: number): StepRow[] {
  return ids.map((token, index) => ({ token, position: position + index, slot }));
}

/** Sections of a decode step; a choice on the CPU leaves nothing to advance by. */
const decodeSections: Readonly<Record<Wanted, readonly string[]>> = {
  id: ["body", "head", "pick", "advance"],
  logits: ["body", "head"],
};

const prefillSections: Readonly<Record<Wanted | "none", readonly string[]>> = {
  none: ["body"],
  id: ["body", "head", "pick"],
  logits: ["body", "head"],
};

export class Runner {
  readonly #parts: RunnerParts;
  #steps = 0;
  #decodeSteps = 0;
  #encodeMs = 0;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
    this.#bind();
  }

  get counters(): RunnerCounters {
    return { steps: this.#steps, decodeSteps: this.#decodeSteps, encodeMs: this.#encodeMs };
  }

  /** Gives back what a slot holds beyond `tokens`. */
  truncate(slot: number, tokens: number): void {
    this.#parts.cache.truncate(slot, tokens);
  }

  /**
   * Makes room for positions below `tokens`; nothing to await unless the pools have to grow.
   * @throws {ShaderloomError} GPU.oom
   */
  reserve(slot: number, tokens: number): Promise<void> | undefined {
    const { cache, control } = this.#parts;
    const changed = cache.reserve(slot, tokens);
    if (changed === undefined) return this.#grow(slot, tokens);
    if (changed) {
      control.setPages(slot, cache.pages(slot));
      cache.prepareGrowth();
    }
    return undefined;
  }

  /** Runs rows of one slot, whose pages are reserved, through the model; with `wanted`, the last row's result. */
  async prefill(rows: readonly StepRow[], wanted?: Wanted): Promise<StepResult> {
    const { device, control, prefill } = this.#parts;
    control.writePrefill({ rows, outputRows: [rows.length - 1] });
    const contextTokens = rows[rows.length - 1].position + 1;
    const shape = { rows: rows.length, outputRows: 1, contextTokens };
    const result = this.#submit(prefill, { ...shape, sections: prefillSections[wanted ?? "none"], wanted });
    // Keeps the queue short, so that an abort takes effect within a chunk.
    if (!result) await device.queue.onSubmittedWorkDone();
    return (await result) ?? {};
  }

  /** Submits a decode step, whose page is reserved, behind those in flight. */
  submitDecode({ slot, position, token, wanted }: DecodeStep): Promise<StepResult> {
    const { control, decode } = this.#parts;
    const start = performance.now();
    control.writeDecode(token === undefined ? undefined : { rows: [{ token, position, slot }], outputRows: [0] });
    const shape = { rows: 1, outputRows: 1, contextTokens: position + 1 };
    const result = this.#submit(decode, { ...shape, sections: decodeSections[wanted], wanted });
    this.#encodeMs += performance.now() - start;
    this.#decodeSteps++;
    return result;
  }

  /** See `scorePrompt`. */
  async score(rows: readonly StepRow[], targets: readonly number[]): Promise<RowScore[]> {
    this.#steps++;
    return scorePrompt(this.#parts, rows, targets);
  }

  async #grow(slot: number, tokens: number): Promise<void> {
    const { cache } = this.#parts;
    do {
      await cache.grow();
    } while (cache.reserve(slot, tokens) === undefined);
    this.#parts.control.setPages(slot, cache.pages(slot));
    this.#bind();
  }

  #submit(phase: CompiledPhase, step: SubmitStep & { readonly wanted: Wanted }): Promise<StepResult>;
  #submit(phase: CompiledPhase, step: SubmitStep): Promise<StepResult> | undefined;
  #submit({ program, lowered }: CompiledPhase, step: SubmitStep): Promise<StepResult> | undefined {
    const { device, readback, vocabSize } = this.#parts;
    const { wanted } = step;
    const encoder = device.createCommandEncoder({ label: program.label });
    const pass = encoder.beginComputePass();
    program.encode(pass, step, step.sections);
    pass.end();
    let slot: ReadbackSlot | undefined;
    if (wanted) {
      const bytes = resultBytes(wanted, vocabSize);
      slot = readback.take(bytes);
      slot.copy(encoder, { source: program.buffer(wanted === "id" ? lowered.pick : lowered.logits), bytes });
    }
    device.queue.submit([encoder.finish()]);
    this.#steps++;
    return wanted && slot?.read().then((bytes) => readResult(bytes, wanted));
  }

  #bind(): void {
    const { cache, control, prefill, decode, weights } = this.#parts;
    const shared = { slab: weights.slab, table: weights.table, kv: (layer: number) => cache.pool(layer), pages: control.pages };
    prefill.program.bind({ ...shared, state: control.prefillState });
    decode.program.bind({ ...shared, state: control.decodeState });
  }
}

interface SubmitStep {
  readonly rows: number;
  readonly outputRows: number;
  readonly contextTokens: number;
  readonly sections: readonly string[];
  readonly wanted?: Wanted | undefined;
}
