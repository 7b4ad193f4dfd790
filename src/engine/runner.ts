// Runs steps: fills the control buffer, encodes a program in one pass, submits once and reads back what was asked for. Knows
// programs and pages, no policy and no text.

import { assert } from "../base/errors.ts";
import { maskWords } from "../base/layout.ts";
import { bindPrograms } from "./bindings.ts";
import type { ReadbackSlot } from "../gpu/readback.ts";
import type { StepPart } from "../graph/program.ts";
import type { StepRow, StepShape } from "../kernels/kernel.ts";
import { PrefillPace } from "./prefill_pace.ts";
import { type PrefillStep, PrefillSubmits } from "./prefill_submits.ts";
import type { RowScore } from "./row_score.ts";
import type { RunnerParts } from "./runner_parts.ts";
import type { SlotRequest } from "./sampling_state.ts";
import type { Sequence } from "./sequence.ts";
import { choosingOf, copyResult, decodeSections, readResult, type StepResult, type Wanted } from "./step_result.ts";

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
  readonly promptTokens: number;
  readonly encodeMs: number;
  readonly submitMs: number;
  readonly prefillSubmits: { readonly count: number; readonly longestMs: number };
}

/** Rows of consecutive positions of one slot. */
export function consecutiveRows(ids: readonly number[], position: number, slot: number): StepRow[] {
  return ids.map((token, index) => ({ token, position: position + index, slot }));
}

export class Runner {
  readonly #parts: RunnerParts;
  readonly #prefill: PrefillSubmits;
  #steps = 0;
  #decodeSteps = 0;
  #promptTokens = 0;
  #encodeMs = 0;
  #submitMs = 0;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
    this.#prefill = new PrefillSubmits(parts, new PrefillPace(parts.frameBudgetMs));
    bindPrograms(parts);
    // Nobody waits for it: until it is known, results are taken to come at once.
    this.#prefill.measureLatency().catch(() => undefined);
  }

  get counters(): RunnerCounters {
    const { count, longestMs } = this.#prefill.counters;
    return {
      steps: this.#steps,
      decodeSteps: this.#decodeSteps,
      promptTokens: this.#promptTokens,
      encodeMs: this.#encodeMs,
      submitMs: this.#submitMs,
      prefillSubmits: { count, longestMs },
    };
  }

  /** Waits for everything submitted: whoever measures, or writes what steps in flight read, comes after. */
  async drain(): Promise<void> {
    await this.#parts.stream?.settled();
    await this.#parts.device.queue.onSubmittedWorkDone();
  }

  /** Most likely tokens that the GPU tells of beside a chosen one. */
  get scoreTopK(): number {
    return this.#parts.scoreTopK;
  }

  /** Starts a request in a slot: how its tokens are chosen. */
  begin(slot: number, request: SlotRequest): void {
    this.#parts.sampling.begin(slot, request);
  }

  /** Allows only some tokens in a slot's next draw, bit i of the words for id i; all when not given. */
  setMask(slot: number, mask: Uint32Array | undefined): void {
    const { sampling, vocabSize } = this.#parts;
    assert(mask === undefined || mask.length >= maskWords(vocabSize), "a mask has a bit for each token");
    sampling.setMask(slot, mask && new Uint32Array(mask));
  }

  /** See `Sequence.reuse`. */
  reuse(sequence: Sequence, prompt: readonly number[], most: number): number {
    const taken = sequence.reuse(prompt, most);
    this.follow(sequence);
    return taken;
  }

  /** Tells the steps to come where a sequence lies, after its pages changed other than by `reserve`. */
  follow({ slot, shift }: Sequence): void {
    const { control, cache } = this.#parts;
    control.setPages(slot, cache.pages(slot));
    control.setShift(shift);
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
    }
    return undefined;
  }

  /** Rows of the next prefill step, which begins at a position, at most `most`. */
  chunkRows(position: number, most: number): number {
    // Every chunk reads all weights that are streamed.
    return this.#parts.stream ? most : this.#prefill.rows(position, most);
  }

  /** See `PrefillSubmits.run`. */
  prefill(step: PrefillStep): Promise<StepResult> {
    this.#steps++;
    if (!step.again) this.#promptTokens += step.rows.length;
    return this.#prefill.run(step);
  }

  /** Submits a decode step, whose page is reserved, behind those in flight. */
  submitDecode({ slot, position, token, wanted }: DecodeStep): Promise<StepResult> {
    const { control, decode, sampling, scoreTopK, stream } = this.#parts;
    const shape = { rows: 1, outputRows: 1, contextTokens: position + 1 };
    const sections = decodeSections[choosingOf(decode.lowered, sampling.takesBest(slot))][wanted];
    const begin = (): void => control.writeDecode(token === undefined ? undefined : { rows: [{ token, position, slot }], outputRows: [0] });
    const read = (readback: ReadbackSlot): Promise<StepResult> => {
      return readback.read().then((bytes) => readResult(bytes, wanted, scoreTopK));
    };
    this.#steps++;
    this.#decodeSteps++;
    const submit = (parts: readonly StepPart[]): void => this.#submit(parts, shape, () => undefined);
    const finish = (parts: readonly StepPart[]): ReadbackSlot => {
      return this.#submit(parts, shape, (encoder) => copyResult(encoder, this.#parts, { phase: decode, wanted }));
    };
    if (stream) return stream.decode({ sections, begin, submit, finish }).then(read);
    begin();
    return read(finish([sections]));
  }

  /** Lets go of steps in flight: what of them is not submitted never will be. */
  abandon(): void {
    this.#parts.stream?.abandon();
  }

  /** Submits parts of a decode step in one pass, and what `after` encodes behind it. */
  #submit<T>(parts: readonly StepPart[], shape: StepShape, after: (encoder: GPUCommandEncoder) => T): T {
    const { device, decode } = this.#parts;
    const start = performance.now();
    const encoder = device.createCommandEncoder({ label: "decode" });
    const pass = encoder.beginComputePass();
    for (const part of parts) decode.program.encode(pass, shape, part);
    pass.end();
    const result = after(encoder);
    const commands = encoder.finish();
    const encoded = performance.now();
    device.queue.submit([commands]);
    this.#encodeMs += encoded - start;
    this.#submitMs += performance.now() - encoded;
    return result;
  }

  /** See `scorePrompt`. */
  async score(rows: readonly StepRow[], targets: readonly number[]): Promise<RowScore[]> {
    this.#steps++;
    // A chunk of its own: few requests want log-probabilities of their prompt.
    const { scorePrompt } = await import("./prompt_scores.ts");
    return scorePrompt(this.#parts, rows, targets);
  }

  async #grow(slot: number, tokens: number): Promise<void> {
    const { cache } = this.#parts;
    try {
      do {
        await cache.grow();
      } while (cache.reserve(slot, tokens) === undefined);
    } finally {
      bindPrograms(this.#parts);
    }
    this.#parts.control.setPages(slot, cache.pages(slot));
  }
}
