// Compares a loaded session with a reference forward: logits at the last prompt position by relative RMS, greedy ids while
// the margin allows.

import { nmse } from "../graph/interpret.ts";
import type { Session } from "../engine/session.ts";
import { greedySampling } from "../sampling/params.ts";

/** Log-probabilities of the whole vocabulary after a prompt, in order of id. */
export async function lastLogprobs(session: Session, promptIds: readonly number[]): Promise<Float32Array> {
  const { vocabSize } = session.info();
  const logprobs = new Float32Array(vocabSize);
  const request = { promptIds, maxTokens: 1, sampling: greedySampling, stopIds: new Set<number>(), logprobs: vocabSize };
  for await (const event of session.generate(request)) {
    if (event.kind !== "token" || !event.score) continue;
    for (const { id, logprob } of event.score.top) logprobs[id] = logprob;
  }
  return logprobs;
}

/** Relative RMS error of log-probabilities against reference logits, both centred: softmax knows logits up to a constant. */
export function relativeRms(logprobs: Float32Array, logits: readonly number[]): number {
  return Math.sqrt(nmse(centred(logprobs), centred(Float32Array.from(logits))));
}

function centred(values: Float32Array): Float32Array {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  return values.map((value) => value - mean);
}

/** Greedy ids after a prompt, chosen on the GPU. */
export async function greedyIds(session: Session, promptIds: readonly number[], maxTokens: number): Promise<number[]> {
  const ids: number[] = [];
  for await (const event of session.generate({ promptIds, maxTokens, sampling: greedySampling, stopIds: new Set<number>() })) {
    if (event.kind === "token") ids.push(event.id);
  }
  return ids;
}
