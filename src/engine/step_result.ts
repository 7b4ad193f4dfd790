// What comes back of a step's last output row, and how it is read. Whoever asks for less gets it sooner: an id is four bytes.

import { ShaderloomError } from "../base/errors.ts";
import type { ReadbackSlot } from "../gpu/readback.ts";
import type { CompiledPhase, RunnerParts } from "./runner_parts.ts";

/** `id`: the token chosen on the GPU. `logits`: all of them, for a choice on the CPU. */
export type Wanted = "id" | "logits";

export interface StepResult {
  readonly id?: number;
  readonly logits?: Float32Array;
}

/** Bytes of the record of a token chosen on the GPU. */
export const pickBytes = 16;

/** Encodes a copy of what is wanted of a step's first output row. */
export function copyResult(
  encoder: GPUCommandEncoder,
  { readback, vocabSize }: RunnerParts,
  { phase: { program, lowered }, wanted }: { phase: CompiledPhase; wanted: Wanted },
): ReadbackSlot {
  const bytes = wanted === "id" ? pickBytes : vocabSize * 4;
  const slot = readback.take(bytes);
  slot.copy(encoder, { source: program.buffer(wanted === "id" ? lowered.pick : lowered.logits), bytes });
  return slot;
}

/** @throws {ShaderloomError} GPU.numeric when the logits held NaN or nothing finite */
export function readResult(bytes: ArrayBuffer, wanted: Wanted): StepResult {
  if (wanted === "logits") return { logits: new Float32Array(bytes) };
  const [id, , flag] = new Uint32Array(bytes);
  if (flag !== 0) throw numericError();
  return { id };
}

export function numericError(): ShaderloomError {
  return new ShaderloomError(
    "GPU.numeric",
    'The model\'s output is not a number on this GPU. Try activations: "f32", or another file of the model.',
  );
}
