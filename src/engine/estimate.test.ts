// The verdict where there is no GPU, and on models that a load would refuse: sizes are told all the same, and why not is a fact.

import { expect, test } from "vitest";
import { formats } from "../testing/formats.ts";
import { writeGguf } from "../testing/gguf_writer.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { errorCode } from "../testing/typed_error.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { estimateSession } from "./estimate.ts";
import type { KvOptions } from "./kv_options.ts";
import { draftModel } from "./model_draft.ts";
import type { Estimate } from "./verdict.ts";

const noGpu = { requestAdapter: async () => null } as unknown as GPU;

/** A file whose bytes are counted as they are read. */
class CountedBlob extends Blob {
  bytesRead = 0;

  override slice(start = 0, end: number = this.size): Blob {
    this.bytesRead += end - start;
    return super.slice(start, end);
  }
}

test("without a GPU sizes are told, and nothing of speed", async () => {
  const verdict = await estimateSession({ model: tinyModel(), gpu: noGpu });
  expect(verdict).toMatchObject({ name: "tiny llama", architecture: "llama", fits: false, probe: null, memory: null, contextLength: 256 });
  expect(verdict).toMatchObject({ prefillTokensPerSecond: null, decodeTokensPerSecond: null, downloadBytes: 0 });
  expect(verdict.problems.map(({ code }) => code)).toEqual(["GPU.unavailable"]);
  expect(verdict.gpu.weights).toBeGreaterThan(0);
  expect(verdict.gpu.total).toBe(verdict.gpu.weights + verdict.gpu.kv + verdict.gpu.scratch);
  expect(verdict.spareBytes).toBe(-verdict.gpu.total);
  // 2 layers, 2 KV heads of 16, keys and values, 4 bytes.
  expect(verdict.gpu.kvPerThousandTokens).toBe(2 * 2 * 16 * 2 * 4 * 1000);
  expect(verdict.gpu.kv).toBe(2 * 2 * 16 * 2 * 4 * 256);
});

test("parameters and bytes are summed by type", async () => {
  const model = tinyModel({ format: "q4_0" });
  const { types, parameters, fileBytes } = await estimateSession({ model, gpu: noGpu });
  const file = await openGguf(bytesSource(model));
  const tensors = [...file.tensors.values()];
  expect(fileBytes).toBe(model.length);
  expect(parameters).toBe(tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0));
  expect(Object.keys(types).toSorted()).toEqual(["f32", "q4_0"]);
  const sums = Object.values(types);
  expect(sums.reduce((sum, one) => sum + one.tensors, 0)).toBe(tensors.length);
  expect(sums.reduce((sum, one) => sum + one.parameters, 0)).toBe(parameters);
  expect(sums.reduce((sum, one) => sum + one.bytes, 0)).toBe(tensors.reduce((sum, { bytes }) => sum + bytes, 0));
});

test("only the header is read", async () => {
  const model = tinyModel({ hidden: 512, ffn: 2048 });
  const { headerBytes } = await openGguf(bytesSource(model));
  const blob = new CountedBlob([model]);
  expect(model.length).toBeGreaterThan(8 << 20);
  await estimateSession({ model: blob, gpu: noGpu });
  expect(blob.bytesRead).toBeGreaterThanOrEqual(headerBytes);
  expect(blob.bytesRead).toBeLessThanOrEqual(headerBytes + (1 << 20));
});

test("a context beyond the model's is a problem, and the sizes are those of the longest", async () => {
  const [over, longest] = await Promise.all(
    [300, 256].map((contextLength) => estimateSession({ model: tinyModel(), gpu: noGpu, contextLength })),
  );
  expect(over.problems.map(({ code }) => code)).toEqual(["GPU.unavailable", "CONTEXT.limit"]);
  expect(over).toMatchObject({ contextLength: 256, trainedContextLength: 256, suggestion: { contextLength: 256 } });
  expect(over.gpu).toEqual(longest.gpu);
  expect(longest.suggestion).toBeNull();
});

test("a context whose pages exceed a binding is a problem with one that does not", async () => {
  const file = await openGguf(bytesSource(tinyModel({ contextLength: 4096 })));
  const caps = { maxBindingBytes: 1 << 19, maxBufferBytes: 1 << 28, f16: false } as Parameters<typeof draftModel>[1]["caps"];
  const draft = await draftModel(file, { caps });
  expect(draft.problems.map(({ code }) => code)).toEqual(["GPU.limits"]);
  expect(draft.acceptedContext).toBe(2048);
  expect(draft.model?.contextLength).toBe(2048);
});

test("16-bit floats that the GPU lacks are a problem, and the sizes are those of 32 bits", async () => {
  const verdict = await estimateSession({ model: tinyModel(), gpu: noGpu, activations: "f16" });
  expect(verdict.problems.map(({ code }) => code)).toEqual(["GPU.unavailable", "GPU.unavailable"]);
  expect(verdict.gpu.kvPerThousandTokens).toBe(2 * 2 * 16 * 2 * 4 * 1000);
});

test("an architecture or a type that cannot run is a problem; what the file says is told", async () => {
  const strange = tinyModel({ metadata: [["general.architecture", "string", "mamba"]] });
  const verdict = await estimateSession({ model: strange, gpu: noGpu });
  expect(verdict.problems.map(({ code }) => code)).toEqual(["GPU.unavailable", "UNSUPPORTED.architecture"]);
  expect(verdict).toMatchObject({ architecture: "mamba", fits: false, gpu: { total: 0 }, suggestion: null });
  expect(verdict.parameters).toBeGreaterThan(0);
  // Type 24 is I8, which the header knows the size of and no kernel computes with.
  expect(formats.some(({ ggufType }) => ggufType === 24)).toBe(false);
  const tensors = [{ name: "token_embd.weight", shape: [8, 256], type: 24, data: new Uint8Array(8 * 256) }];
  const typed = await estimateSession({
    model: writeGguf({ metadata: [["general.architecture", "string", "llama"]], tensors }),
    gpu: noGpu,
  });
  expect(typed.problems[1]).toMatchObject({ code: "UNSUPPORTED.type" });
  expect(typed.types).toEqual({ i8: { tensors: 1, parameters: 2048, bytes: 2048 } });
});

test("what is no model, and what the caller got wrong, are errors", async () => {
  expect(await errorCode(estimateSession({ model: new Uint8Array(64), gpu: noGpu }))).toBe("FORMAT.magic");
  expect(await errorCode(estimateSession({ model: tinyModel(), gpu: noGpu, contextLength: 0.5 }))).toBe("REQUEST.contextLength");
  expect(await errorCode(estimateSession({ model: tinyModel(), gpu: noGpu, signal: AbortSignal.abort() }))).toBe("AbortError");
});

async function needOf(kv?: KvOptions): Promise<Estimate["gpu"]> {
  return (await estimateSession({ model: tinyModel(), gpu: noGpu, kv })).gpu;
}

test("keys and values are counted in the type that is chosen, and told in every other", async () => {
  const [f32, f16, budgeted] = await Promise.all([needOf(), needOf({ type: "f16" }), needOf({ budget: 100_000 })]);
  expect([f32.kvType, f16.kvType]).toEqual(["f32", "f16"]);
  expect(f16.kvPerThousandTokens).toBe(f32.kvPerThousandTokens / 2);
  // Beside the pages themselves there is one on its way from one place to another.
  expect(f32.total - f16.total).toBe(f32.kv - f16.kv + 8192 / 2);
  expect(f16.kvTypes).toEqual(f32.kvTypes);
  for (const need of [f32, f16]) expect(need.kvTypes[need.kvType]).toBe(need.kvPerThousandTokens);
  // Per token, layer and head of 16: codes, then for keys two halves for each channel of a page of 64, for values two for each token.
  expect(f32.kvTypes).toMatchObject({ q4: 2 * 2 * 1000 * (2 * 8 + (16 * 4) / 64 + 4), q8_0: 2 * 2 * 1000 * 2 * (16 + 4) });
  // 8192 bytes a page in each of 2 layers.
  expect(budgeted.kv).toBe(6 * 16_384);
});

test("what cannot be had of keys and values is a mistake of the caller", async () => {
  expect(await errorCode(needOf({ budget: 16_383 }))).toBe("REQUEST.kv");
  expect(await errorCode(needOf({ evict: { policy: "window", keep: 257 } }))).toBe("REQUEST.kv");
});

test("what lies in one range takes no more than one context, whatever its budget", async () => {
  const [paged, ranged] = await Promise.all([needOf({ budget: 1e8 }), needOf({ budget: 1e8, layout: "contiguous" })]);
  expect(paged.kv).toBeGreaterThan(9e7);
  expect(ranged.kv).toBe(2 * 2 * 16 * 2 * 4 * 256);
});
