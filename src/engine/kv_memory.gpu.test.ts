// What a conversation of 4,096 tokens takes on the GPU, by the ledger: pools as a load makes them and as they grow, and the tails of types of
// pages. What steps write into them is other tests' matter, which is why this one needs no long prompt.

import { expect, test } from "vitest";
import type { KvType } from "../base/kv_types.ts";
import { BufferLedger } from "../gpu/buffers.ts";
import { openDevice } from "../gpu/device.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { buildModel } from "./model.ts";
import { placeRunner, planRunner } from "./placement.ts";

const tokens = 4096;
const layers = 2;
/** Most over f16, for heads of 64. */
const bars: ReadonlyArray<readonly [KvType, number]> = [
  ["f32", 2],
  ["q8_0", 0.54],
  ["bfp4", 0.3],
  ["q4", 0.3],
  ["kivi2", 0.2],
];

test(`keys and values of ${tokens} tokens take what their types promise`, async (context) => {
  const opened = await openDevice(await sharedGpuOrSkip(context), {});
  const { device, caps } = opened;
  const source = bytesSource(tinyModel({ layers, hidden: 64, heads: 1, kvHeads: 1, ffn: 32, contextLength: tokens }));
  const bytesOf = async (type: KvType): Promise<number> => {
    const ledger = new BufferLedger(device);
    try {
      const model = await buildModel(await openGguf(source), source, { caps, contextLength: tokens, kv: { type } });
      const { cache } = placeRunner(await planRunner(model, caps, {}), model, { device, ledger });
      // As decode asks for places, one after another.
      for (let held = 1; held <= tokens; held++) while (cache.reserve(0, held) === undefined) await cache.grow();
      expect(cache.usedPages * model.kv.pageTokens).toBe(tokens);
      return ledger.bytes().kv;
    } finally {
      ledger.destroyAll();
    }
  };
  try {
    const plain = await bytesOf("f16");
    // Keys and values of one head of 64, two bytes each.
    expect(plain).toBe(layers * tokens * 2 * 64 * 2);
    for (const [type, bar] of bars) expect((await bytesOf(type)) / plain, type).toBeLessThanOrEqual(bar);
  } finally {
    opened.destroy();
  }
});
