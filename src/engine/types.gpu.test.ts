// A random GGUF file of each weight type through the whole engine: its log-probabilities are the interpreter's, and llama.cpp's where that
// knows the type.

import { afterAll, describe, expect, test } from "vitest";
import type { WeightFormat } from "../formats/format.ts";
import { type OpenDevice, openDevice } from "../gpu/device.ts";
import { formats } from "../testing/formats.ts";
import { sharedGpuOrSkip, openTestGpu } from "../testing/gpu.ts";
import { interpretedLogits } from "../testing/interpreted.ts";
import { compareFileWithLlamacpp, llamacppOrSkip } from "../testing/llamacpp.ts";
import { lastLogprobs, relativeRms } from "../testing/oracle.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { loadSession } from "./load.ts";

const gpu = await openTestGpu();
const opened: OpenDevice | undefined = gpu && (await openDevice(gpu));
afterAll(() => opened?.destroy());

const promptIds: readonly number[] = [72, 101, 108, 108, 111, 44, 32, 119, 111, 114, 108, 100];

/** A token whose logit is zero in every engine, because its row of the embedding, which is the head, is. */
const zeroLogitToken = 200;

/**
 * All matrices of the type, in rows of 256 weights; equal shapes, so that few pipelines are compiled. Queries and keys of Qwen3 are
 * normalized: otherwise random weights make attention so sharp that roundings grow a hundredfold.
 */
async function modelOf({ name, ggufType, blockSize, bytesPerBlock }: WeightFormat): Promise<Uint8Array<ArrayBuffer>> {
  const sizes = { layers: 1, hidden: 256, heads: 4, kvHeads: 4, ffn: 256, extraTokens: 700 };
  const gguf = tinyModel({ architecture: "qwen3", format: name, ...sizes, seed: ggufType + 1 });
  const file = await openGguf(bytesSource(gguf));
  const table = file.tensors.get("token_embd.weight") ?? expect.fail("no embedding");
  const rowBytes = (table.shape[1] / blockSize) * bytesPerBlock;
  const at = table.offset + zeroLogitToken * rowBytes;
  return gguf.fill(0, at, at + rowBytes);
}

async function logprobsOf(gguf: Uint8Array<ArrayBuffer>, activations: "f32" | "f16"): Promise<Float32Array> {
  const session = await loadSession({ model: gguf, gpu, activations, tuning: "off" });
  try {
    return await lastLogprobs(session, promptIds);
  } finally {
    session.destroy();
  }
}

/** Relative RMS that other tests hold whole models to: f32 activations and f16 storage. */
const bounds = { f32: 1e-4, f16: 3e-3 } as const;

/** Of llama.cpp, which rounds activations to 8 bits for all types but these. */
const llamacppBounds: Readonly<Record<string, number>> = { f32: 1e-3, f16: 3e-3, bf16: 1e-2 };

for (const [index, format] of formats.entries()) {
  describe(format.name, () => {
    let found: Promise<Float32Array> | undefined;
    const logprobs = (): Promise<Float32Array> => (found ??= modelOf(format).then((gguf) => logprobsOf(gguf, "f32")));

    test("log-probabilities equal the interpreter's", async (context) => {
      await sharedGpuOrSkip(context);
      const caps = opened?.caps ?? expect.fail("no device");
      const gguf = await modelOf(format);
      const expected = await interpretedLogits(gguf, promptIds, caps);
      expect(expected.every(Number.isFinite)).toBe(true);
      expect(relativeRms(await logprobs(), [...expected])).toBeLessThanOrEqual(bounds.f32);
      // Some of the types: products in f16 are tested with all of them.
      if (!caps.f16 || index % 4 !== 0) return;
      expect(relativeRms(await logprobsOf(gguf, "f16"), [...expected]), "f16").toBeLessThanOrEqual(bounds.f16);
    });

    test("log-probabilities agree with llama.cpp's", async (context) => {
      await sharedGpuOrSkip(context);
      await llamacppOrSkip(context);
      const values = await logprobs();
      const logits = Array.from(values, (value) => value - values[zeroLogitToken]);
      const best = logits.reduce((at, value, id) => (value > logits[at] ? id : at), 0);
      const ours = { prompt: promptIds, logits, greedy: [], top: [[best, logits[best]]] as const };
      const { relRms } = await compareFileWithLlamacpp(await modelOf(format), ours);
      expect(relRms, "relative RMS").toBeLessThanOrEqual(llamacppBounds[format.name] ?? 5e-2);
      // Equal bit for bit would mean that nothing was compared.
      expect(relRms).toBeGreaterThan(0);
    });
  });
}
