// Every kernel against its CPU reference: all listed cases, both device classes, every precision the adapter has.
// The device has exactly 8 storage buffers, the portable limit.

import { expect, test } from "vitest";
import type { Caps } from "../gpu/caps.ts";
import { openDevice } from "../gpu/device.ts";
import { openTestGpu, skipReason } from "../testing/gpu.ts";
import { nmseBound, runCase } from "../testing/kernel_harness.ts";
import { type TestedKernel, testedKernels } from "../testing/kernel_cases/index.ts";
import type { Kernel, KernelCase, KernelTarget, Precision } from "./kernel.ts";

const gpu = await openTestGpu();
if (gpu === undefined) {
  test("kernels", (context) => context.skip(skipReason()));
} else {
  const { device, caps } = await openDevice(gpu, { maxStorageBuffers: 8 });
  for (const kernel of testedKernels) kernel.visit((typed) => declareKernel(device, caps, typed));
  if (!caps.f16) test("f16 kernels", (context) => context.skip("this adapter has no shader-f16"));
}

function declareKernel<A>(device: GPUDevice, caps: Caps, kernel: TestedKernel<A>): void {
  const precisions: readonly Precision[] = caps.f16 ? ["f32", "f16", "int8"] : ["f32", "int8"];
  const declared = new Set<string>();
  for (const deviceClass of ["cpu", "gpu"] as const) {
    for (const precision of precisions) {
      for (const kernelCase of kernel.cases) {
        const target = { caps, deviceClass, precision, maxRows: kernelCase.rows };
        const keys = kernel.variants(kernelCase.attributes, target).map((variant) => variant.key);
        const title = `${keys.join(", ")}: ${kernelCase.name}`;
        // Where a precision changes nothing, the test of another one has said it all.
        if (keys.length === 0 || declared.has(title)) continue;
        declared.add(title);
        test(title, () => check(device, kernel, kernelCase, target));
      }
    }
  }
}

async function check<A>(device: GPUDevice, kernel: Kernel<A>, kernelCase: KernelCase<A>, target: KernelTarget): Promise<void> {
  const bound = nmseBound(target);
  for (const result of await runCase(device, kernel, kernelCase, target)) {
    expect(result.problems, result.key).toEqual([]);
    expect(result.nmse, `NMSE of ${result.key}`).toBeLessThanOrEqual(bound);
  }
}
