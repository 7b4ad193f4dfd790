// Fills layers that stay, through the same staging buffers as those that come and go, and tells how fast that went.

import { throwIfAborted } from "../base/errors.ts";
import { lostAgain } from "./feed.ts";
import { copyToFrame, type Placement } from "./frames.ts";
import type { ImagePlan, WeightImage } from "./types.ts";

export interface FillOptions {
  readonly device: GPUDevice;
  readonly image: WeightImage;
  readonly plan: ImagePlan;
  /** Mapped before and after; a chunk each. */
  readonly staging: readonly GPUBuffer[];
  /** Makes sections of the image anew. @throws when it cannot */
  readonly repair: (sections: readonly number[]) => Promise<void>;
  readonly signal: AbortSignal;
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** Bytes per millisecond. */
export interface FillRates {
  readonly read: number;
  /** From staging buffers into frames; with what it takes to be told of it. */
  readonly copy: number;
}

/** Copies whole sections to where they are to be. @throws {ShaderloomError} AbortError, STORE.*, what `repair` throws */
export async function fillLayers(
  options: FillOptions,
  layers: readonly { readonly index: number; readonly place: Placement }[],
): Promise<FillRates> {
  const { device, image, plan, staging, repair, signal, onBytes } = options;
  let readMs = 0;
  let bytes = 0;
  let copyMs = Infinity;
  const mapping = new Map<GPUBuffer, Promise<void>>();
  const queue = [...staging];
  for (const { index, place } of layers) {
    for (let chunk = 0; chunk < plan.sections[index].chunks; chunk++) {
      throwIfAborted(signal);
      const buffer = queue[0];
      queue.push(...queue.splice(0, 1));
      await mapping.get(buffer);
      const into = new Uint8Array(buffer.getMappedRange());
      const start = performance.now();
      const there = await image.read(index, chunk, into);
      if (there) {
        readMs += performance.now() - start;
        bytes += plan.chunkBytes;
      } else {
        await repair([index]);
        if (!(await image.read(index, chunk, into))) throw lostAgain(index);
      }
      buffer.unmap();
      const encoder = device.createCommandEncoder({ label: "weights" });
      copyToFrame(encoder, buffer, chunk * plan.chunkBytes, place);
      const submitted = performance.now();
      device.queue.submit([encoder.finish()]);
      const mapped = buffer.mapAsync(2).then(() => void (copyMs = Math.min(copyMs, performance.now() - submitted))); // GPUMapMode.WRITE
      mapped.catch(() => undefined);
      mapping.set(buffer, mapped);
      onBytes?.(plan.chunkBytes);
    }
  }
  await Promise.all(mapping.values());
  return { read: bytes / Math.max(readMs, 1e-3), copy: plan.chunkBytes / Math.max(copyMs, 1e-3) };
}
