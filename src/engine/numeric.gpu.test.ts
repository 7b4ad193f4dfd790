// A number that is none, wherever it comes from, ends a request with GPU.numeric, in every class: no class makes a token of it.

import { expect, test } from "vitest";
import type { Precision } from "../kernels/kernel.ts";
import { greedySampling } from "../sampling/params.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { watchGpu } from "../testing/watched_gpu.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { loadSession } from "./load.ts";

/** Tensors and bits that are no numbers. */
const broken = [
  ["blk.0.ffn_up.weight", 0x7fc00000],
  ["blk.1.attn_v.weight", 0xffc00000],
  ["blk.1.ffn_down.weight", 0x7f800000],
] as const;

/** Bits of a weight by which its place in GPU memory is found. */
const known = 0x3e123457;

/** A tiny f32 model that has the known weight in a matrix. */
async function markedModel(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = tinyModel({ hidden: 128, heads: 2, kvHeads: 1 });
  const { tensors } = await openGguf(bytesSource(bytes));
  const { offset } = tensors.get(name) ?? expect.fail(name);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(offset + 4 * 37, known, true);
  return bytes;
}

/** Loads, then breaks the known weight where it lies on the GPU: a file with such weights would be refused. */
async function answer(gpu: GPU, name: string, { activations, bits }: { activations: Precision; bits: number }): Promise<number[]> {
  const places: Array<{ buffer: GPUBuffer; at: number }> = [];
  const watched = await watchGpu(gpu, ({ queue }) => {
    const write = queue.writeBuffer.bind(queue);
    queue.writeBuffer = (...args: Parameters<GPUQueue["writeBuffer"]>): undefined => {
      const [buffer, offset, data] = args;
      if (data instanceof Uint8Array && data.byteLength % 4 === 0) {
        const index = new Uint32Array(data.slice().buffer).indexOf(known);
        if (index >= 0) places.push({ buffer, at: offset + 4 * index });
      }
      return write(...args);
    };
    return {};
  });
  const session = await loadSession({ model: await markedModel(name), gpu: watched.gpu, activations, tuning: "off" });
  try {
    expect(places).toHaveLength(1);
    for (const { buffer, at } of places) watched.device().queue.writeBuffer(buffer, at, new Uint8Array(Uint32Array.of(bits).buffer));
    const ids: number[] = [];
    for await (const event of session.generate({ promptIds: [1, 2, 3], maxTokens: 4, sampling: greedySampling, stopIds: new Set() })) {
      if (event.kind === "token") ids.push(event.id);
    }
    return ids;
  } finally {
    session.destroy();
  }
}

for (const activations of ["f32", "f16", "int8"] as const) {
  // The GPU program's kernels are held to the same by kernels/non_numbers.gpu.test.ts; drivers without a GPU take long to compile it.
  test(activations, async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const adapter = await gpu.requestAdapter();
    if (activations === "f16" && !adapter?.features.has("shader-f16")) context.skip("this adapter has no shader-f16");
    for (const [tensor, bits] of broken) {
      await expect(answer(gpu, tensor, { activations, bits }), tensor).rejects.toMatchObject({ code: "GPU.numeric" });
    }
    // Large, but a number.
    expect(await answer(gpu, "blk.0.ffn_up.weight", { activations, bits: 0x44000000 })).toHaveLength(4);
  });
}
