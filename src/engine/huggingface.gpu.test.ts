// A trained Hugging Face folder against its float64 forward, as it is stored and quantized while loading.

import { describe, expect, test } from "vitest";
import { readSharedFile, sharedFileOrSkip } from "../testing/files.ts";
import { sharedGpuOrSkip, type Skipper } from "../testing/gpu.ts";
import { greedyIds, lastLogprobs, relativeRms } from "../testing/oracle.ts";
import { loadSession, type LoadSessionOptions } from "./load.ts";

interface ExpectedCase {
  readonly prompt: string;
  readonly prompt_ids: number[];
  readonly f64_dequant: { readonly logits_last: number[]; readonly greedy_ids: number[]; readonly min_top1_margin: number };
}

const folder = "data/models/tinystories-656k";
const names = ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "model.safetensors"];

async function filesOrSkip(context: Skipper): Promise<File[]> {
  return Promise.all(names.map(async (name) => new File([await sharedFileOrSkip(context, `${folder}/${name}`)], name)));
}

/** Of the GGUF file that llama.cpp's converter and quantizer make of the same folder. */
async function casesOf(type: string): Promise<ExpectedCase[]> {
  const expected = await readSharedFile(`${folder}/tinystories-656k-${type}.expected.json`);
  return (JSON.parse(new TextDecoder().decode(expected)) as { cases: ExpectedCase[] }).cases;
}

async function compare(reference: string, options: LoadSessionOptions, count = Infinity): Promise<void> {
  const session = await loadSession(options);
  try {
    for (const { prompt, prompt_ids: promptIds, f64_dequant: expected } of (await casesOf(reference)).slice(0, count)) {
      expect([1, ...session.tokenizer.encode(prompt)]).toEqual(promptIds);
      expect(relativeRms(await lastLogprobs(session, promptIds), expected.logits_last)).toBeLessThanOrEqual(1e-4);
      expect(expected.min_top1_margin).toBeGreaterThan(0.002);
      expect(await greedyIds(session, promptIds, expected.greedy_ids.length)).toEqual(expected.greedy_ids);
    }
  } finally {
    session.destroy();
  }
}

describe("a trained folder equals its float64 forward", () => {
  for (const [reference, quantize] of [
    ["f16", undefined],
    ["q8_0", "q8_0"],
    ["q4_0", "q4_0"],
    // Rows of 128 and 384 do not fill blocks of 256.
    ["q4_0", "q4_k"],
  ] as const) {
    test(`${quantize ?? "as it is stored"}, equal to the ${reference} file`, async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      await compare(reference, { model: await filesOrSkip(context), gpu, quantize });
    });
  }

  test("with the GPU program", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    await compare("q4_0", { model: await filesOrSkip(context), gpu, quantize: "q4_0", deviceClass: "gpu" }, 2);
  });

  test("a GGUF file of 16-bit floats is quantized in the same way", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    await compare("q8_0", { model: await sharedFileOrSkip(context, `${folder}/tinystories-656k-f16.gguf`), gpu, quantize: "q8_0" });
  });
});
