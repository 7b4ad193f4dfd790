// Programs over pages that are quantized when they are full give the logits that the interpreter gives on the references' pages: prompts
// at once, and decode over the ends of pages. Rounding may put a code next to the reference's, so bounds are those of the type.

import { describe, expect, test } from "vitest";
import type { KvPageType } from "../base/kv_types.ts";
import { nmse } from "../graph/interpret.ts";
import { gpuOrSkip, sharedGpuOrSkip } from "../testing/gpu.ts";
import { interpretedLogits } from "../testing/interpreted.ts";
import { plainCaps } from "../testing/plain_caps.ts";
import { openPrograms } from "../testing/program_logits.ts";
import { promptOf } from "../testing/streamed_session.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { watchGpu } from "../testing/watched_gpu.ts";
import type { KvOptions } from "./kv_options.ts";
import { loadSession } from "./load.ts";

function modelOf(layers: number): Uint8Array<ArrayBuffer> {
  return tinyModel({ architecture: "qwen3", hidden: 64, heads: 4, kvHeads: 2, ffn: 96, layers, contextLength: 512 });
}

const whole = modelOf(2);

/** What repairs pages is the reference's up to rounding, which would tip codes of the next layer: one layer says more. */
const repairBound = 1e-6;

/** A few codes of some ten thousand that rounding tips, beside what the type itself changes. */
const bounds: Readonly<Record<KvPageType, number>> = { q4: 1e-5, kivi2: 1e-4 };

describe.each([["q4"], ["kivi2"], ["q4", "gear"], ["kivi2", "gear"]] as const)("%s %s", (type, repair?: "gear") => {
  const kv = { type, pageTokens: 32, ...(repair && { repair }) };
  const model = repair ? modelOf(1) : whole;
  const bound = repair ? repairBound : bounds[type];
  const ids = promptOf(100);

  test("is what the interpreter has, and not what f32 has", async () => {
    const quantized = await interpretedLogits(model, ids, plainCaps, kv);
    const exact = await interpretedLogits(model, ids, plainCaps, { type: "f32" });
    expect(nmse(quantized, exact)).toBeGreaterThan(3 * bound);
  });

  test.for(["cpu", "gpu"] as const)("prefill and decode of the %s program", async (deviceClass, context) => {
    const gpu = await sharedGpuOrSkip(context);
    const programs = await openPrograms(gpu, model, { deviceClass, activations: "f32", fusion: undefined, kv });
    try {
      const prompt = await programs.prefill(0, ids.slice(0, 90));
      expect(nmse(prompt, await interpretedLogits(model, ids.slice(0, 90), plainCaps, kv))).toBeLessThan(bound);
      // 95 ends a page, 96 begins one.
      for (let position = 90; position < 98; position++) {
        const [logits] = await programs.decode([{ token: ids[position], position, slot: 0 }]);
        const want = await interpretedLogits(model, ids.slice(0, position + 1), plainCaps, kv);
        expect(nmse(logits, want), `${position}`).toBeLessThan(bound);
      }
    } finally {
      programs.close();
    }
  });
});

describe.each(["cpu", "gpu"] as const)("at the load of the %s program", (deviceClass) => {
  test("what reads and writes pages is checked over a full page and a page that fills", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const session = await loadSession({ model: whole, gpu, deviceClass, kv: { type: "q4", repair: "gear" } });
    const { chosen, dropped } = session.stats().kernels;
    session.destroy();
    expect(dropped).toEqual([]);
    const kernels = ["attention_decode", "attention_prefill", "kv_quantize", "kv_recent", "kv_repair", "kv_store"];
    for (const kernel of kernels)
      expect(
        chosen.find((one) => one.kernel === kernel),
        kernel,
      ).toMatchObject({ checked: true });
  });

  // A driver that loses the least value of a page's channels, finds wrong factors, or writes codes one too small.
  test.for([
    ["attention", /range\.least;/g, "vec4<f32>();"],
    ["kv_repair", /dots\.yx \* sum\.y/g, "dots.yx * sum.y + 1.0"],
    ["kv_", /above >= \(vec4<f32>\(codes \+ bit\) - 0\.5\)/g, "above >= vec4<f32>(codes + bit)"],
  ] as const)("a wrong %s is found", async ([kernel, right, wrong], context) => {
    const watched = await watchGpu(await gpuOrSkip(context), (device) => ({
      createShaderModule: (descriptor) => device.createShaderModule({ ...descriptor, code: descriptor.code.replaceAll(right, wrong) }),
    }));
    const kv: KvOptions = { type: "q4", ...(kernel === "kv_repair" && { repair: "gear" }) };
    await expect(loadSession({ model: whole, gpu: watched.gpu, deviceClass, kv })).rejects.toMatchObject({
      code: "GPU.selftest",
      detail: { kernel: expect.stringContaining(kernel) },
    });
  });
});
