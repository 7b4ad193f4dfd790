// A number that is none, wherever it comes from, ends a request with GPU.numeric, in every class: no class makes a token of it.

import { expect, test } from "vitest";
import type { Precision } from "../kernels/kernel.ts";
import { greedySampling } from "../sampling/params.ts";
import { gpuOrSkip } from "../testing/gpu.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { loadSession } from "./load.ts";

/** Tensors and bits that are no numbers. */
const broken = [
  ["blk.0.ffn_up.weight", 0x7fc00000],
  ["blk.1.attn_v.weight", 0xffc00000],
  ["blk.1.ffn_down.weight", 0x7f800000],
] as const;

/** A tiny f32 model with the bits of one weight of a matrix replaced. */
async function brokenModel(name: string, bits: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = tinyModel({ hidden: 128, heads: 2, kvHeads: 1 });
  const { tensors } = await openGguf(bytesSource(bytes));
  const { offset } = tensors.get(name) ?? expect.fail(name);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(offset + 4 * 37, bits, true);
  return bytes;
}

async function answer(gpu: GPU, model: Uint8Array<ArrayBuffer>, activations: Precision): Promise<number[]> {
  const session = await loadSession({ model, gpu, activations, tuning: "off" });
  try {
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
    const gpu = await gpuOrSkip(context);
    const adapter = await gpu.requestAdapter();
    if (activations === "f16" && !adapter?.features.has("shader-f16")) context.skip("this adapter has no shader-f16");
    for (const [tensor, bits] of broken) {
      await expect(answer(gpu, await brokenModel(tensor, bits), activations), tensor).rejects.toMatchObject({ code: "GPU.numeric" });
    }
    // Large, but a number.
    expect(await answer(gpu, await brokenModel("blk.0.ffn_up.weight", 0x44000000), activations)).toHaveLength(4);
  });
}
