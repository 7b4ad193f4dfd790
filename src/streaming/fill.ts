// Fills layers that stay, through the same staging buffers as those that come and go.

import { throwIfAborted } from "../base/errors.ts";
import { lostAgain, repairTries } from "./feed.ts";
import { copyToFrame, type Placement } from "./frames.ts";
import { remapped, type Slot } from "./staging.ts";
import type { ImagePlan, WeightImage } from "./types.ts";

export interface FillOptions {
  readonly device: GPUDevice;
  readonly image: WeightImage;
  readonly plan: ImagePlan;
  /** Makes sections of the image anew. @throws when it cannot */
  readonly repair: (sections: readonly number[]) => Promise<void>;
  readonly signal: AbortSignal;
}

/** A layer, by its place in the plan, and where it is to be. */
export interface PlacedLayer {
  readonly index: number;
  readonly place: Placement;
}

/**
 * Copies whole sections to where they are to be.
 * @param staging  a chunk each
 * @returns the same buffers, mapped again
 * @throws {ShaderloomError} AbortError, GPU.lost, STORE.*, what `repair` throws
 */
export async function fillLayers(options: FillOptions, layers: readonly PlacedLayer[], staging: readonly Slot[]): Promise<readonly Slot[]> {
  const { device, plan, signal } = options;
  const slots = staging.map((slot) => Promise.resolve(slot));
  for (const { index, place } of layers) {
    for (let chunk = 0; chunk < plan.sections[index].chunks; chunk++) {
      throwIfAborted(signal);
      const [next] = slots.splice(0, 1);
      const slot = await next;
      await readSurely(options, { index, chunk, into: slot.bytes });
      slot.buffer.unmap();
      const encoder = device.createCommandEncoder({ label: "weights" });
      copyToFrame(encoder, slot.buffer, chunk * plan.chunkBytes, place);
      device.queue.submit([encoder.finish()]);
      const again = remapped(slot.buffer);
      again.catch(() => undefined);
      slots.push(again);
    }
  }
  return Promise.all(slots);
}

/** A chunk of a section, and where its bytes go. */
export interface ChunkRead {
  readonly index: number;
  readonly chunk: number;
  readonly into: Uint8Array<ArrayBuffer>;
}

/** Reads a chunk, of a section that is made anew when it is not there. @throws {ShaderloomError} STORE.*, what `repair` throws */
export async function readSurely(
  { image, repair }: Pick<FillOptions, "image" | "repair">,
  { index, chunk, into }: ChunkRead,
): Promise<void> {
  if (await image.read(index, chunk, into)) return;
  for (let tries = 0; tries < repairTries; tries++) {
    await repair([index]);
    if (await image.read(index, chunk, into)) return;
  }
  throw lostAgain(index);
}
