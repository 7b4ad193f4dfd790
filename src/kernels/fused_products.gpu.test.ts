// Products that take norm, join, gate or residual along, against the reference: all pairs of what they take along, weight type, shape, rows,
// build and variant.

import { describe, expect, test } from "vitest";
import { type OpenDevice, openDevice } from "../gpu/device.ts";
import { type FusedCase, fusedCases } from "../testing/fused_cases.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { nmseBound, runCase } from "../testing/kernel_harness.ts";
import { linear, type LinearAttributes } from "./linear.ts";
import type { Kernel } from "./kernel.ts";

const gpu = await openTestGpu();
const opened: OpenDevice | undefined = gpu && (await openDevice(gpu, { maxStorageBuffers: 8 }));

async function check(device: GPUDevice, { kernelCase, target, variant }: FusedCase): Promise<void> {
  const one: Kernel<LinearAttributes> = {
    ...linear,
    variants: (...given) => linear.variants(...given).filter(({ key }) => key === variant),
  };
  const results = await runCase(device, one, kernelCase, target);
  expect(results.length).toBe(1);
  const [{ nmse, problems }] = results;
  expect(problems).toEqual([]);
  expect(nmse).toBeLessThanOrEqual(nmseBound(target));
}

describe("products that take something along", () => {
  if (!opened) {
    test("on a GPU", (context) => context.skip(skipReason()));
    return;
  }
  const { device, caps } = opened;
  for (const one of fusedCases(caps)) test(`${one.variant}: ${one.kernelCase.name}`, () => check(device, one));
});
