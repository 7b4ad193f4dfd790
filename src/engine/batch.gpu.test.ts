// Sequences of different lengths that decode together: each gets the text it gets alone.

import { expect, test } from "vitest";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { type OpenPrograms, openPrograms, type ProgramRun } from "../testing/program_logits.ts";
import { promptOf } from "../testing/streamed_session.ts";
import { tinyModel } from "../testing/tiny_model.ts";

const file = tinyModel({ contextLength: 512 });
const lengths = [3, 64, 131, 32];
const steps = 12;

function likeliest(logits: Float32Array): number {
  return logits.indexOf(logits.reduce((most, logit) => Math.max(most, logit)));
}

/** Greedy ids of each prompt, all of them a step at a time. */
async function texts(programs: OpenPrograms, prompts: readonly (readonly number[])[]): Promise<number[][]> {
  const ids: number[][] = [];
  for (const [slot, prompt] of prompts.entries()) ids.push([likeliest(await programs.prefill(slot, prompt))]);
  for (let step = 0; step < steps; step++) {
    const rows = prompts.map((prompt, slot) => ({ token: ids[slot][step], position: prompt.length + step, slot }));
    const logits = await programs.decode(rows);
    logits.forEach((row, slot) => ids[slot].push(likeliest(row)));
  }
  return ids;
}

test.for([
  { deviceClass: "cpu", kv: { type: "f32" } },
  { deviceClass: "gpu", kv: { type: "f32" } },
  { deviceClass: "cpu", kv: { type: "q8_0" } },
  { deviceClass: "cpu", kv: { type: "q4", pageTokens: 32 } },
] as const)("$deviceClass, $kv.type: four sequences at once have the texts they have alone", async (how, context) => {
  const gpu = await sharedGpuOrSkip(context);
  const run: ProgramRun = { activations: "f32", fusion: "auto", ...how };
  const prompts = lengths.map((length, index) => promptOf(length, 5 * index + 1));
  const together = await openPrograms(gpu, file, { ...run, slots: lengths.length });
  const found = await texts(together, prompts);
  together.close();
  for (const [index, prompt] of prompts.entries()) {
    const alone = await openPrograms(gpu, file, run);
    expect(found[index], `${prompt.length} tokens`).toEqual((await texts(alone, [prompt]))[0]);
    alone.close();
  }
});
