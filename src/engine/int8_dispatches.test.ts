// Which calls a lowered model has: in the int8 class values are quantized where they are made.

import { expect, test } from "vitest";
import type { FusionName } from "../graph/fuse/names.ts";
import { lower } from "../graph/lower.ts";
import type { Precision } from "../kernels/kernel.ts";
import { formatByGgufType } from "../testing/formats.ts";
import { plainCaps } from "../testing/plain_caps.ts";
import { tinyModel, type TinyModelOptions } from "../testing/tiny_model.ts";
import { bytesSource } from "../weights/byte_source.ts";
import { openGguf } from "../weights/gguf/gguf.ts";
import { buildModel } from "./model.ts";

interface Lowering {
  readonly phase: "prefill" | "decode";
  readonly deviceClass: "cpu" | "gpu";
  readonly fusion?: ReadonlySet<FusionName>;
}

/** Names of the kernels that a step calls, in order. */
async function kernelsOf(shape: TinyModelOptions, activations: Precision, { phase, deviceClass, fusion }: Lowering): Promise<string[]> {
  const source = bytesSource(tinyModel({ format: "q8_0", ...shape }));
  const model = await buildModel(await openGguf(source), source, { caps: plainCaps, activations });
  const target = { caps: plainCaps, deviceClass, precision: activations, maxRows: phase === "prefill" ? 64 : 1 };
  const { calls } = lower(model.graph, { phase, target, kv: model.kv, formats: formatByGgufType, scoreTopK: 5, fusion });
  return calls.map(({ kernel }) => kernel);
}

for (const phase of ["prefill", "decode"] as const) {
  for (const deviceClass of ["cpu", "gpu"] as const) {
    test(`int8 ${phase} on the ${deviceClass} program has as many dispatches as f32, but for what passes join`, async () => {
      // Heads of 64 are whole blocks of 32.
      const shape = { hidden: 256, heads: 4, kvHeads: 2, ffn: 352 };
      const plain = { phase, deviceClass, fusion: new Set<FusionName>() };
      expect(await kernelsOf(shape, "int8", plain)).toEqual(await kernelsOf(shape, "f32", plain));
      // fusion.test.ts has what decode is left with.
      const fused = { phase, deviceClass };
      if (phase === "prefill") expect(await kernelsOf(shape, "int8", fused)).toEqual(await kernelsOf(shape, "f32", fused));
    });
  }
}

test("what a producer cannot quantize has a call of its own", async () => {
  // A block lies over two heads of 16, which two workgroups make.
  const found = await kernelsOf({ layers: 2 }, "int8", { phase: "decode", deviceClass: "gpu" });
  expect(found.filter((kernel) => kernel === "quantize")).toHaveLength(2);
  expect(found[found.indexOf("quantize") - 1]).toBe("attention_merge");
});
