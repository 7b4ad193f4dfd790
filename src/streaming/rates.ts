// How fast an image is read and copied to the GPU on this machine, as the feed will do it: reads side by side, copies behind each other.

import { throwIfAborted } from "../base/errors.ts";
import type { FillOptions } from "./fill.ts";
import { readSurely } from "./fill.ts";
import { copyToFrame, type Placement } from "./frames.ts";
import type { Slot } from "./staging.ts";

/** Chunks that are read for a rate, from as many layers as that takes. */
const readChunks = 24;
/** Reads end after this long, however slow the store is; milliseconds. */
const mostReadMs = 1500;
/** The first reads of a file find it unopened. */
const warmingChunks = 2;

/** Bytes per millisecond that are read, into memory of its own: what is mapped counts against a budget. */
export async function measureRead(options: Omit<FillOptions, "device">): Promise<number> {
  const { image, plan, signal } = options;
  const places = plan.sections.flatMap(({ chunks }, index) => Array.from({ length: chunks }, (_, chunk) => ({ index, chunk })));
  const rooms = Array.from({ length: image.readsAtOnce }, () => new Uint8Array(plan.chunkBytes));
  const readSome = async (count: number, untilMs: number): Promise<number> => {
    let next = 0;
    let done = 0;
    const lanes = rooms.map(async (into) => {
      while (next < count && performance.now() < untilMs) {
        throwIfAborted(signal);
        await readSurely(options, { ...places[next++ % places.length], into });
        done++;
      }
    });
    await Promise.all(lanes);
    return done;
  };
  await readSome(warmingChunks, Infinity);
  const start = performance.now();
  const done = await readSome(Math.max(readChunks, rooms.length), start + mostReadMs);
  return (done * plan.chunkBytes) / Math.max(performance.now() - start, 1e-3);
}

/** Copies that are timed together. */
const copies = 8;

export interface CopyRates {
  /** Bytes per millisecond from staging buffers into frames. */
  readonly copy: number;
  /** Milliseconds from a submit until it is known that it ran. */
  readonly toldMs: number;
}

/** @param slot  is not mapped any more after it */
export async function measureCopy(device: GPUDevice, { buffer }: Slot, place: Placement): Promise<CopyRates> {
  buffer.unmap();
  const time = async (count: number): Promise<number> => {
    const encoder = device.createCommandEncoder({ label: "weights" });
    for (let copy = 0; copy < count; copy++) copyToFrame(encoder, buffer, 0, place);
    const commands = encoder.finish();
    const start = performance.now();
    device.queue.submit([commands]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  await time(1);
  const toldMs = await time(1);
  const all = await time(copies);
  return { copy: ((copies - 1) * Math.min(buffer.size, place.section.bytes)) / Math.max(all - toldMs, 1e-3), toldMs };
}
