// Every weight type against float64: in `npm test` all pairs of type, kernel, shape, tier, build and kind of weights; in `npm run gpu` every
// variant of every type and build.

import { afterAll, describe, expect, test } from "vitest";
import { type OpenDevice, openDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { pairedCases } from "../testing/product_factors.ts";
import { mostError } from "../testing/product_reference.ts";
import { type ProductCase, runProduct } from "../testing/product_run.ts";
import { shaderFiles } from "./shader_files.ts";

const gpu = await openTestGpu();
const opened: OpenDevice | undefined = gpu && (await openDevice(gpu, { maxStorageBuffers: 8 }));
afterAll(() => opened?.destroy());

function title({ n, k, kind, bias, out, target, variant }: ProductCase): string {
  return `${variant.key}: ${n}x${k}, up to ${target.maxRows} rows, kind ${kind}, to ${out}${bias ? ", bias" : ""}`;
}

if (!opened) {
  test("products", (context) => context.skip(skipReason()));
} else {
  const { device, caps } = opened;
  const pipelines = createPipelineCache(device, shaderFiles);
  describe("products", () => {
    for (const one of pairedCases(caps)) {
      test(title(one), async () => {
        const errors = await runProduct({ device, pipelines }, one);
        expect(errors.problems).toEqual([]);
        expect(errors.nmse, "NMSE").toBeLessThanOrEqual(mostError.nmse);
        expect(errors.quantized, "NMSE against activations that are not quantized").toBeLessThanOrEqual(mostError.quantized);
      });
    }
  });
}
