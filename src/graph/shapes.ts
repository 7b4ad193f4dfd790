// Where the shapes of dispatches that share a pipeline lie: small uniforms of one buffer per program, each written once. Which dispatches
// share is for fewer_pipelines.ts to say.

import { assert } from "../base/errors.ts";
import { bindAlignment } from "../base/layout.ts";
import { type BufferLedger, uniformUsage } from "../gpu/buffers.ts";
import type { Variant } from "../kernels/kernel.ts";
import { callTargets, productAttributes, type TieredProgram, type TierLimits } from "./tiers.ts";

/** Room for the shapes of all dispatches of a program; undefined when none has any. */
export function allocateShapes(
  program: TieredProgram & { readonly label: string; readonly ledger: BufferLedger; readonly tiers?: TierLimits | undefined },
): GPUBuffer | undefined {
  const counts = program.calls.map((call) => (productAttributes(call)?.shared ? callTargets(call, program).length : 0));
  const size = bindAlignment * counts.reduce((sum, count) => sum + count, 0);
  // 0x08 is COPY_DST, which uniforms are written by.
  return size === 0 ? undefined : program.ledger.create("other", { label: `${program.label} shapes`, size, usage: uniformUsage | 0x08 });
}

/** The shapes of a program's dispatches: equal ones have one place. */
export class Shapes {
  readonly #device: GPUDevice;
  readonly #buffer: GPUBuffer | undefined;
  readonly #places = new Map<string, number>();

  constructor(device: GPUDevice, buffer: GPUBuffer | undefined) {
    this.#device = device;
    this.#buffer = buffer;
  }

  /** What the binding `shape` of a variant is. */
  bind({ key, shape }: Variant): GPUBufferBinding {
    const buffer = this.#buffer;
    assert(buffer && shape, `there is no room for the shape of ${key}`);
    const known = this.#places.get(shape.join());
    const offset = known ?? this.#places.size * bindAlignment;
    if (known === undefined) {
      this.#places.set(shape.join(), offset);
      this.#device.queue.writeBuffer(buffer, offset, shape);
    }
    return { buffer, offset, size: shape.byteLength };
  }
}
