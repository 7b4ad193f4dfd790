// Attention against float64 over what the cache holds: in `npm test` all pairs of length, head size, group, mask, score, type and order of
// the cache, phase, class and precision; in `npm run gpu`, which sets VITE_SHADERLOOM_PRODUCTS, every combination.

import { afterAll, describe, expect, test } from "vitest";
import type { KvType } from "../base/kv_types.ts";
import { type OpenDevice, openDevice } from "../gpu/device.ts";
import {
  type AttentionChoice,
  choicesOf,
  choiceTitle,
  fullChoices,
  pairedChoices,
  targetOf,
  visitChoice,
} from "../testing/attention_factors.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { runCase } from "../testing/kernel_harness.ts";

const gpu = await openTestGpu();
const opened: OpenDevice | undefined = gpu && (await openDevice(gpu, { maxStorageBuffers: 8 }));
afterAll(() => opened?.destroy());

/** Most NMSE by what the cache holds, with activations in f32: the types' own errors are in the cache, for both sides. */
const bounds: Readonly<Record<KvType, number>> = { f32: 1e-9, f16: 1e-9, q8_0: 1e-9, bfp4: 1e-9, q4: 1e-9, kivi2: 1e-9 };
/** With activations in f16, whatever the cache holds. */
const halfBound = 1e-6;

const fullTimeout = 1_800_000;

/** What is wrong with a choice. */
async function faults({ device, caps }: OpenDevice, choice: AttentionChoice): Promise<string[]> {
  const bound = choice.precision === "f32" ? bounds[choice.type] : halfBound;
  const results = await visitChoice(choice, (kernel, kernelCase) => runCase(device, kernel, kernelCase, targetOf(choice, caps)));
  if (results.length === 0) return ["no variant"];
  return results.flatMap(({ problems, nmse }) => [...problems, ...(nmse <= bound ? [] : [`NMSE ${nmse}`])]);
}

function declarePairs(open: OpenDevice): void {
  for (const choice of pairedChoices(open.caps)) {
    test(choiceTitle(choice), async () => {
      expect(await faults(open, choice)).toEqual([]);
    });
  }
}

function declareAll(open: OpenDevice): void {
  for (const fixed of fullChoices(open.caps)) {
    const { length, type, headDim } = fixed;
    test(`${length} tokens, ${type}, heads of ${headDim}`, { timeout: fullTimeout }, async () => {
      const choices = choicesOf(open.caps, fixed);
      const found: string[] = [];
      for (const choice of choices) found.push(...(await faults(open, choice)).map((fault) => `${choiceTitle(choice)}: ${fault}`));
      expect(choices.length).toBeGreaterThan(0);
      expect(found).toEqual([]);
    });
  }
}

describe("attention", () => {
  if (!opened) test("on a GPU", (context) => context.skip(skipReason()));
  else if (import.meta.env["VITE_SHADERLOOM_PRODUCTS"] === "full") declareAll(opened);
  else declarePairs(opened);
});
