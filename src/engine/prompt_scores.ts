// Scores of prompt tokens: the head over rows of the last prefill, in tiles that it has room for.

import { rowStride } from "../base/layout.ts";
import type { StepRow } from "../kernels/kernel.ts";
import { readScore, type RowScore, scoreWords } from "./row_score.ts";
import type { RunnerParts } from "./runner_parts.ts";

/** What runs over the rows again. */
const scoreSections: readonly string[] = ["head", "score"];

/**
 * Scores rows of the last prefill against the tokens that followed them.
 * @param rows     the rows of that prefill
 * @param targets  token expected after each of the first `targets.length` rows
 */
export async function scorePrompt(parts: RunnerParts, rows: readonly StepRow[], targets: readonly number[]): Promise<RowScore[]> {
  const tile = parts.prefill.program.maxOutputRows;
  const scores: RowScore[] = [];
  for (let start = 0; start < targets.length; start += tile) {
    const count = Math.min(tile, targets.length - start);
    const sources = Array.from({ length: count }, (_, index) => start + index);
    scores.push(...(await scoreTile(parts, rows, { sources, targets })));
  }
  return scores;
}

async function scoreTile(
  { control, prefill, device, readback, scoreTopK, vocabSize }: RunnerParts,
  rows: readonly StepRow[],
  { sources, targets }: { sources: readonly number[]; targets: readonly number[] },
): Promise<RowScore[]> {
  const { logits, scores } = prefill.lowered;
  // Rows beyond the sources only fill the header's shape: the body does not run again.
  control.writePrefill({ rows, outputRows: sources });
  const encoder = device.createCommandEncoder({ label: "score" });
  const pass = encoder.beginComputePass();
  prefill.program.encode(pass, { rows: rows.length, outputRows: sources.length, contextTokens: 1 }, scoreSections);
  pass.end();
  const stride = scoreWords(scoreTopK);
  const logitStride = rowStride(vocabSize);
  const scoreBytes = sources.length * stride * 4;
  const slot = readback.take(scoreBytes + sources.length * 4);
  slot.copy(encoder, { source: prefill.program.buffer(scores), bytes: scoreBytes });
  sources.forEach((source, index) => {
    const offset = (index * logitStride + targets[source]) * 4;
    slot.copy(encoder, { source: prefill.program.buffer(logits), offset, bytes: 4, at: scoreBytes + index * 4 });
  });
  device.queue.submit([encoder.finish()]);
  const bytes = await slot.read();
  const floats = new Float32Array(bytes);
  return sources.map((_, index) => {
    const target = floats[scoreBytes / 4 + index];
    return readScore(bytes, { start: index * stride, topK: scoreTopK, target });
  });
}
