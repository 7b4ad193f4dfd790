// Every weight type against float64: in `npm test` all pairs of type, kernel, shape, tier, build and kind of weights; in `npm run gpu`,
// which sets VITE_SHADERLOOM_PRODUCTS, every variant of every type and build on every shape.

import { afterAll, describe, expect, test } from "vitest";
import { type OpenDevice, openDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { formats } from "../testing/formats.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { fullCases, pairedCases, productBuilds } from "../testing/product_factors.ts";
import { mostError } from "../testing/product_reference.ts";
import { type ProductCase, runProduct } from "../testing/product_run.ts";
import { shaderFiles } from "../testing/shader_files.ts";

const gpu = await openTestGpu();
const opened: OpenDevice | undefined = gpu && (await openDevice(gpu, { maxStorageBuffers: 8 }));
afterAll(() => opened?.destroy());

/** A type and build of the full product on a driver that compiles slowly. */
const fullTimeout = 1_800_000;

function title({ n, k, kind, bias, out, target, variant }: ProductCase): string {
  return `${variant.key}: ${n}x${k}, up to ${target.maxRows} rows, kind ${kind}, to ${out}${bias ? ", bias" : ""}`;
}

/** What is wrong with a case. */
async function faults({ device }: OpenDevice, pipelines: ReturnType<typeof createPipelineCache>, one: ProductCase): Promise<string[]> {
  const { problems, nmse, quantized } = await runProduct({ device, pipelines }, one);
  const found = [...problems];
  if (!(nmse <= mostError.nmse)) found.push(`NMSE ${nmse}`);
  if (!(quantized <= mostError.quantized)) found.push(`NMSE ${quantized} against activations that are not quantized`);
  return found;
}

function declarePairs(open: OpenDevice): void {
  const pipelines = createPipelineCache(open.device, shaderFiles);
  for (const one of pairedCases(open.caps)) {
    test(title(one), async () => {
      expect(await faults(open, pipelines, one)).toEqual([]);
    });
  }
}

function declareAll(open: OpenDevice): void {
  const began = performance.now();
  const all = formats.flatMap((format) => productBuilds(open.caps).map((build) => ({ format, build })));
  for (const [index, { format, build }] of all.entries()) {
    const name = `${format.name}, ${build.deviceClass} program in ${build.precision}`;
    test(name, { timeout: fullTimeout }, async () => {
      const pipelines = createPipelineCache(open.device, shaderFiles);
      const cases = fullCases(open.caps, format, build);
      const found: string[] = [];
      for (const one of cases) found.push(...(await faults(open, pipelines, one)).map((fault) => `${title(one)}: ${fault}`));
      const seconds = Math.round((performance.now() - began) / 1000);
      console.info(`products ${index + 1} of ${all.length}, ${name}: ${cases.length} variants and shapes, ${seconds} s`);
      expect(cases.length).toBeGreaterThan(0);
      expect(found).toEqual([]);
    });
  }
}

describe("products", () => {
  if (!opened) test("on a GPU", (context) => context.skip(skipReason()));
  else if (import.meta.env["VITE_SHADERLOOM_PRODUCTS"] === "full") declareAll(opened);
  else declarePairs(opened);
});
