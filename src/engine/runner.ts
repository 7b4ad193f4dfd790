// Runs steps: fills the control buffer, encodes a program in one pass, submits once and reads back what was asked for. Knows
// programs and pages, no policy and no text.

import { assert, ShaderloomError } from "../base/errors.ts";
import type { Readback } from "../gpu/readback.ts";
import type { Lowered } from "../graph/lower.ts";
import type { BindTable, Program } from "../graph/program.ts";
import type { PagedCache } from "../kv/paged_cache.ts";
import type { StepRow } from "../kernels/kernel.ts";
import type { Control } from "./control.ts";

/** Bytes of argmax's record. */
export const pickBytes = 16;

export interface CompiledPhase {
  readonly program: Program;
  readonly lowered: Lowered;
}

export interface RunnerParts {
  readonly device: GPUDevice;
  readonly readback: Readback;
  readonly control: Control;
  readonly cache: PagedCache;
  readonly prefill: CompiledPhase;
  readonly decode: CompiledPhase;
  readonly weights: Pick<BindTable, "slab" | "table">;
  readonly vocabSize: number;
  readonly scoreTopK: number;
}

/** What the head of a step gives: the most likely id, or all logits. */
export interface HeadResult {
  readonly id?: number;
  readonly logits?: Float32Array;
}

/** One output row scored on the GPU. */
export interface RowScore {
  /** Log-probability of the row's target token. */
  readonly logprob: number;
  /** Most likely first. */
  readonly top: ReadonlyArray<{ readonly id: number; readonly logprob: number }>;
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

export class Runner {
  readonly #parts: RunnerParts;
  /** The decode step that `advance` left on the GPU. */
  #resident: { token: number; position: number; slot: number } | undefined;
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

  /** Runs rows of one slot through the model; with `head`, the last row's result. */
  async prefill(rows: readonly StepRow[], head?: "pick" | "logits"): Promise<HeadResult> {
    const { control, prefill } = this.#parts;
    await this.#reserve(rows);
    control.writePrefill({ rows, outputRows: [rows.length - 1] });
    const sections = head === undefined ? ["body"] : head === "pick" ? ["body", "head", "pick"] : ["body", "head"];
    return this.#submit(prefill, { rows, outputRows: 1, sections, head });
  }

  /** One token of one sequence: with `pick` the next id is chosen on the GPU, which is then ready for the step after. */
  async decode(row: StepRow, head: "pick" | "logits"): Promise<HeadResult> {
    const { control, decode } = this.#parts;
    const resident = this.#resident?.token === row.token && this.#resident.position === row.position && this.#resident.slot === row.slot;
    await this.#reserve([row]);
    const start = performance.now();
    control.writeDecode({ rows: [row], outputRows: [0] }, resident);
    const sections = head === "pick" ? ["body", "head", "pick", "advance"] : ["body", "head"];
    const pending = this.#submit(decode, { rows: [row], outputRows: 1, sections, head });
    this.#encodeMs += performance.now() - start;
    this.#decodeSteps++;
    this.#resident = undefined;
    const result = await pending;
    if (result.id !== undefined) this.#resident = { token: result.id, position: row.position + 1, slot: row.slot };
    return result;
  }

  /**
   * Scores rows of the last prefill against the tokens that followed them, in bounded tiles of the head.
   * @param rows     the rows of that prefill
   * @param targets  token expected after each of the first `targets.length` rows
   */
  async score(rows: readonly StepRow[], targets: readonly number[]): Promise<RowScore[]> {
    const tile = this.#tileRows;
    const scores: RowScore[] = [];
    for (let start = 0; start < targets.length; start += tile) {
      const count = Math.min(tile, targets.length - start);
      const sources = Array.from({ length: count }, (_, index) => start + index);
      scores.push(...(await this.#scoreTile(rows, sources, targets)));
    }
    return scores;
  }

  get #tileRows(): number {
    return this.#parts.prefill.program.maxOutputRows;
  }

  async #scoreTile(rows: readonly StepRow[], sources: readonly number[], targets: readonly number[]): Promise<RowScore[]> {
    const { control, prefill, device, readback, scoreTopK, vocabSize } = this.#parts;
    const { logits, scores } = prefill.lowered;
    assert(scores, "the prefill program scores");
    // Rows beyond the sources only fill the header's shape: the body does not run again.
    control.writePrefill({ rows, outputRows: sources });
    const encoder = device.createCommandEncoder({ label: "score" });
    const pass = encoder.beginComputePass();
    prefill.program.encode(pass, { rows: rows.length, outputRows: sources.length, contextTokens: 1 }, ["head", "score"]);
    pass.end();
    const stride = Math.ceil((2 * scoreTopK + 4) / 32) * 32;
    const logitStride = Math.ceil(vocabSize / 32) * 32;
    const scoreBytes = sources.length * stride * 4;
    const slot = readback.take(scoreBytes + sources.length * 4);
    slot.copy(encoder, { source: prefill.program.buffer(scores), bytes: scoreBytes });
    sources.forEach((source, index) => {
      const offset = (index * logitStride + targets[source]) * 4;
      slot.copy(encoder, { source: prefill.program.buffer(logits), offset, bytes: 4, at: scoreBytes + index * 4 });
    });
    device.queue.submit([encoder.finish()]);
    this.#steps++;
    const bytes = await slot.read();
    const floats = new Float32Array(bytes);
    const words = new Uint32Array(bytes);
    return sources.map((_, index) =>
      readScore(floats, words, { start: index * stride, topK: scoreTopK, target: floats[scoreBytes / 4 + index] }),
    );
  }

  async #reserve(rows: readonly StepRow[]): Promise<void> {
    const { cache, control } = this.#parts;
    const last = rows[rows.length - 1];
    const { tableChanged, rebind } = await cache.reserve(last.slot, last.position + 1);
    if (tableChanged) control.setPages(last.slot, cache.pages(last.slot));
    if (rebind) this.#bind();
  }

  async #submit(
    { program, lowered }: CompiledPhase,
    step: { rows: readonly StepRow[]; outputRows: number; sections: readonly string[]; head: "pick" | "logits" | undefined },
  ): Promise<HeadResult> {
    const { device, readback, vocabSize } = this.#parts;
    const encoder = device.createCommandEncoder({ label: program.label });
    const pass = encoder.beginComputePass();
    const contextTokens = step.rows[step.rows.length - 1].position + 1;
    program.encode(pass, { rows: step.rows.length, outputRows: step.outputRows, contextTokens }, step.sections);
    pass.end();
    const bytes = step.head === "pick" ? pickBytes : vocabSize * 4;
    const slot = step.head === undefined ? undefined : readback.take(bytes);
    slot?.copy(encoder, { source: program.buffer(step.head === "pick" ? lowered.pick : lowered.logits), bytes });
    device.queue.submit([encoder.finish()]);
    this.#steps++;
    if (!slot) {
      // Keeps the queue short, so that an abort takes effect within a chunk.
      await device.queue.onSubmittedWorkDone();
      return {};
    }
    const result = await slot.read();
    if (step.head === "logits") return { logits: new Float32Array(result) };
    return { id: readPick(new Uint32Array(result)) };
  }

  #bind(): void {
    const { cache, control, prefill, decode, weights } = this.#parts;
    const shared = { slab: weights.slab, table: weights.table, kv: (layer: number) => cache.pool(layer), pages: control.pages };
    prefill.program.bind({ ...shared, state: control.prefillState });
    decode.program.bind({ ...shared, state: control.decodeState });
  }
}

/** @throws {ShaderloomError} GPU.numeric when the logits held NaN or nothing finite */
function readPick(record: Uint32Array): number {
  if (record[2] !== 0) throw numericError();
  return record[0];
}

export function numericError(): ShaderloomError {
  return new ShaderloomError(
    "GPU.numeric",
    'The model\'s output is not a number on this GPU. Try activations: "f32", or another file of the model.',
  );
}

function readScore(floats: Float32Array, words: Uint32Array, at: { start: number; topK: number; target: number }): RowScore {
  const { start, topK, target } = at;
  if (words[start + 2 * topK + 2] !== 0) throw numericError();
  const logSumExp = floats[start + 2 * topK + 1];
  const top = Array.from({ length: topK }, (_, index) => ({ id: words[start + index], logprob: floats[start + topK + index] - logSumExp }));
  return { logprob: target - logSumExp, top };
}
