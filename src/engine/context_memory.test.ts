// Activations take the same room however long the context: attention has no buffer that grows with it.

import { expect, test } from "vitest";
import { BufferLedger } from "../gpu/buffers.ts";
import { plainCaps } from "../testing/plain_caps.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { draftModel } from "./model_draft.ts";
import { countingDevice } from "./need.ts";
import { placeRunner, planRunner } from "./placement.ts";

test.each(["cpu", "gpu"] as const)("programs of class %s at 1,024, 4,096 and 32,768 tokens", async (deviceClass) => {
  const caps = { ...plainCaps, deviceClass, software: deviceClass === "cpu" };
  const found: number[] = [];
  for (const contextLength of [1024, 4096, 32_768]) {
    const file = await openGguf(bytesSource(tinyModel({ contextLength })));
    const { model } = await draftModel(file, { caps, contextLength });
    if (!model) throw new Error("the tiny model is accepted");
    expect(model.kv.maxPages * model.kv.pageTokens).toBe(contextLength);
    const device = countingDevice();
    const ledger = new BufferLedger(device);
    placeRunner(await planRunner(model, caps), model, { device, ledger });
    found.push(ledger.bytes().activations);
  }
  expect(found[0]).toBeGreaterThan(0);
  expect(found).toEqual([found[0], found[0], found[0]]);
});
