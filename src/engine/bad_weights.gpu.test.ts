// Files whose weights are not what their header promises: a typed error that names tensor and type, and no buffer left on the GPU.

import { describe, expect, test } from "vitest";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { writeGguf, writeGgufHeader } from "../testing/gguf_writer.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { typedError } from "../testing/typed_error.ts";
import { watchGpu } from "../testing/watched_gpu.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { loadSession, type LoadSessionOptions } from "./load.ts";

/** Loads what cannot be loaded. Counts the buffers that the load made and those that it left. */
async function refused(gpu: GPU, options: LoadSessionOptions): Promise<{ code: string; detail: unknown; message: string; made: number }> {
  const live = new Set<GPUBuffer>();
  let made = 0;
  const watched = await watchGpu(gpu, (device) => ({
    createBuffer: (descriptor: GPUBufferDescriptor) => {
      const buffer = device.createBuffer(descriptor);
      live.add(buffer);
      made++;
      const destroy = buffer.destroy.bind(buffer);
      return Object.assign(buffer, {
        destroy: () => {
          live.delete(buffer);
          return destroy();
        },
      });
    },
  }));
  const { code, detail, message } = await typedError(loadSession({ ...options, gpu: watched.gpu }));
  expect(live.size).toBe(0);
  return { code, detail, message, made };
}

/** The model with 16 or 32 bits of a tensor replaced. */
async function poisoned(
  model: Uint8Array<ArrayBuffer>,
  tensor: string,
  poison: { at: number; bits: number; bytes: 2 | 4 },
): Promise<Uint8Array<ArrayBuffer>> {
  const { tensors } = await openGguf(bytesSource(model));
  const at = (tensors.get(tensor)?.offset ?? Number.NaN) + poison.at;
  const view = new DataView(model.buffer);
  if (poison.bytes === 2) view.setUint16(at, poison.bits, true);
  else view.setUint32(at, poison.bits, true);
  return model;
}

describe("weights that are no numbers", () => {
  test("a NaN scale of a quantized matrix, without being asked", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const model = await poisoned(tinyModel({ format: "q4_0" }), "blk.0.ffn_up.weight", { at: 17 * 18, bits: 0x7e00, bytes: 2 });
    const error = await refused(gpu, { model });
    expect(error).toMatchObject({ code: "MODEL.values", detail: { tensor: "blk.0.ffn_up.weight", type: "Q4_0", block: 17 } });
    expect(error.made).toBeGreaterThan(0);
  });

  test("an infinite scale of a K-quant", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const plain = tinyModel({ format: "q6_k", hidden: 256 });
    const model = await poisoned(plain, "blk.1.attn_v.weight", { at: 3 * 210 + 208, bits: 0xfc00, bytes: 2 });
    const detail = { tensor: "blk.1.attn_v.weight", type: "Q6_K", block: 3 };
    expect(await refused(gpu, { model })).toMatchObject({ code: "MODEL.values", detail });
  });

  test("a NaN in a vector, without being asked", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const model = await poisoned(tinyModel(), "blk.1.ffn_norm.weight", { at: 20, bits: 0x7fc00000, bytes: 4 });
    const detail = { tensor: "blk.1.ffn_norm.weight", type: "F32", index: 5 };
    expect(await refused(gpu, { model })).toMatchObject({ code: "MODEL.values", detail });
  });

  test("a NaN in a matrix of floats, whoever looks for it", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const model = await poisoned(tinyModel({ format: "f16" }), "blk.0.attn_q.weight", { at: 2 * 700, bits: 0x7e01, bytes: 2 });
    const expected = { code: "MODEL.values", detail: { tensor: "blk.0.attn_q.weight", type: "F16", index: 700 } };
    expect(await refused(gpu, { model })).toMatchObject(expected);
    expect(await refused(gpu, { model, checkWeights: true })).toMatchObject(expected);
    expect(await refused(gpu, { model, quantize: "q8_0" })).toMatchObject(expected);
  });

  test("weights that no scale of the wanted type can hold", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const huge = new Uint32Array(Float32Array.of(1e8).buffer)[0];
    const model = await poisoned(tinyModel(), "blk.0.attn_k.weight", { at: 4 * 64, bits: huge, bytes: 4 });
    const error = await refused(gpu, { model, quantize: "q8_0" });
    expect(error).toMatchObject({ code: "MODEL.values", detail: { tensor: "blk.0.attn_k.weight", type: "Q8_0", block: 2 } });
    expect(error.message).toContain("too large");
  });
});

describe("tensors that are not what the header says", () => {
  const metadata = [["general.architecture", "string", "llama"]] as const;

  test("a type number that GGML does not have", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const model = writeGgufHeader({
      entries: metadata,
      tensors: [{ name: "token_embd.weight", shape: [8, 32], type: 99 }],
      dataBytes: 4096,
    });
    const error = await refused(gpu, { model });
    expect(error).toMatchObject({ code: "UNSUPPORTED.type", detail: { tensor: "token_embd.weight" }, made: 0 });
    expect(error.message).toContain("99");
  });

  test("a type that nothing is computed with", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const model = writeGguf({ metadata, tensors: [{ name: "token_embd.weight", shape: [8, 32], type: 24, data: new Uint8Array(256) }] });
    expect(await refused(gpu, { model })).toMatchObject({ code: "UNSUPPORTED.type", detail: { tensor: "token_embd.weight" }, made: 0 });
  });

  test("rows that do not fill the blocks of their type", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const model = writeGgufHeader({
      entries: metadata,
      tensors: [{ name: "token_embd.weight", shape: [8, 48], type: 2 }],
      dataBytes: 4096,
    });
    const error = await refused(gpu, { model });
    expect(error).toMatchObject({ code: "UNSUPPORTED.block", detail: { tensor: "token_embd.weight" }, made: 0 });
    expect(error.message).toContain("Q4_0");
  });

  test("a file that ends inside a tensor", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const whole = tinyModel({ format: "q8_0" });
    const error = await refused(gpu, { model: whole.slice(0, whole.length - 1000) });
    expect(error).toMatchObject({ code: "FORMAT.truncated", made: 0 });
    expect(error.message).toMatch(/the tensor "blk\.1\.ffn_\w+\.weight" \((Q8_0|F32)\)/);
  });
});
