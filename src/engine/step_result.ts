// What comes back of a step's last output row, and how it is read. Whoever asks for less gets it sooner: an id is four bytes.

import { assert } from "../base/errors.ts";
import { chosenFlag, chosenWords, noToken } from "../base/layout.ts";
import type { ReadbackSlot } from "../gpu/readback.ts";
import type { Lowered } from "../graph/lower.ts";
import { deadEndError, numericError } from "../sampling/errors.ts";
import { readScore, type RowScore, usedScoreWords } from "./row_score.ts";
import type { CompiledPhase, RunnerParts } from "./runner_parts.ts";

/**
 * `id`: the token chosen on the GPU. `scored`: with its log-probability and the most likely others. `logits`: all of them, for a choice on
 * the CPU.
 */
export type Wanted = "id" | "scored" | "logits";

export interface StepResult {
  readonly id?: number;
  readonly score?: RowScore;
  readonly logits?: Float32Array;
}

/** The section that chooses a token: of all logits, or, for a slot that takes the likeliest, of what the head kept of them. */
type Choosing = "sample" | "best";

/** Sections of a step from which something is wanted. */
export type WantedSections = Readonly<Record<Choosing, Readonly<Record<Wanted, readonly string[]>>>>;

function wantedSections(choosing: Choosing, last: readonly string[]): WantedSections[Choosing] {
  const logits = ["body", "head"];
  return { id: [...logits, choosing, ...last], scored: [...logits, choosing, "score", ...last], logits };
}

export const prefillSections: WantedSections = { sample: wantedSections("sample", []), best: wantedSections("best", []) };

/** A choice on the CPU leaves nothing to advance by. */
export const decodeSections: WantedSections = {
  sample: wantedSections("sample", ["advance"]),
  best: wantedSections("best", ["advance"]),
};

/** How a program chooses for a slot, which may take the likeliest token. */
export function choosingOf({ sections }: Pick<Lowered, "sections">, takesBest: boolean): Choosing {
  return takesBest && sections.some(({ name }) => name === "best") ? "best" : "sample";
}

/** Bytes of a chosen token with its score: no padding, so that they fit the slots that tokens in flight take. */
export function scoredBytes(topK: number): number {
  return 4 * (chosenWords + usedScoreWords(topK));
}

/** Encodes a copy of what is wanted of a step's first output row. */
export function copyResult(
  encoder: GPUCommandEncoder,
  { readback, vocabSize, scoreTopK }: RunnerParts,
  { phase: { program, lowered }, wanted }: { phase: CompiledPhase; wanted: Wanted },
): ReadbackSlot {
  if (wanted === "logits") {
    const slot = readback.take(vocabSize * 4);
    slot.copy(encoder, { source: program.buffer(lowered.logits), bytes: vocabSize * 4 });
    return slot;
  }
  const bytes = wanted === "id" ? 4 : 4 * chosenWords;
  const slot = readback.take(wanted === "id" ? bytes : scoredBytes(scoreTopK));
  slot.copy(encoder, { source: program.buffer(lowered.chosen), bytes });
  if (wanted === "scored") slot.copy(encoder, { source: program.buffer(lowered.scores), bytes: 4 * usedScoreWords(scoreTopK), at: bytes });
  return slot;
}

/** @throws {ShaderloomError} GPU.numeric when the logits held NaN or nothing finite, GRAMMAR.dead_end when a mask left nothing */
export function readResult(bytes: ArrayBuffer, wanted: Wanted, topK: number): StepResult {
  if (wanted === "logits") return { logits: new Float32Array(bytes) };
  const [id] = new Uint32Array(bytes, 0, 1);
  if (id >= noToken) {
    if (id - noToken === chosenFlag.deadEnd) throw deadEndError();
    assert(id - noToken === chosenFlag.numeric, `a row without a token says why, not ${id}`);
    throw numericError();
  }
  if (wanted === "id") return { id };
  const [, target] = new Float32Array(bytes, 0, 2);
  return { id, score: readScore(bytes, { start: chosenWords, topK, target }) };
}
