// Fills frames: reads chunks of the streamed layers in the order in which steps need them, straight into mapped staging buffers, and submits
// copies as soon as nothing that was submitted before may still read what they overwrite. Steps ask when a layer is there and say when they
// have submitted it. Knows no program and no step.
//
// Layers are visited in rounds, a round a step; visits are numbered through, so that what is read ahead at the end of a step is the beginning
// of the next. The queue of a GPU is in order: a copy may be submitted once whoever read its frame before is.

import { assert, asShaderloomError, ShaderloomError } from "../base/errors.ts";
import { copyToFrame, type Placement } from "./frames.ts";
import { remapped, type Slot } from "./staging.ts";
import type { ImagePlan, LayerState, WeightImage } from "./types.ts";

export interface FeedOptions {
  readonly device: GPUDevice;
  readonly image: WeightImage;
  readonly plan: ImagePlan;
  /** Streamed layers in the order of a step: their places in the plan, and where on the GPU. Some share buffers. */
  readonly layers: readonly { readonly index: number; readonly place: Placement }[];
  /** A chunk each. */
  readonly staging: readonly Slot[];
  /** Makes sections of the image anew. @throws when it cannot */
  readonly repair: (sections: readonly number[]) => Promise<void>;
}

/** Times that a section is made anew before that is given up. */
export const repairTries = 2;

/** A chunk on its way. */
interface Reading {
  readonly visit: number;
  readonly chunk: number;
  readonly slot: Slot;
  state: "reading" | "read" | "failed";
}

interface Waiting {
  readonly visit: number;
  resolve(): void;
  reject(error: unknown): void;
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #free: Slot[];
  /** In the order in which they are read. */
  readonly #readings: Reading[] = [];
  #underWay = 0;
  /** What is read next. */
  #next = { visit: 0, chunk: 0 };
  /** Visits below are submitted. */
  #submitted = 0;
  /** Visits below are in their frames, or will be before anything that is submitted from now on. */
  #filled = 0;
  readonly #waiting: Waiting[] = [];
  #failure: ShaderloomError | undefined;
  #closed = false;
  #bytes = 0;
  #repairs = 0;
  #readMs = 0;
  #readBytes = 0;
  #readingSince = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#free = [...options.staging];
    this.#pump();
  }

  get counters(): { readonly bytes: number; readonly repairs: number; readonly readBytesPerSecond: number } {
    return { bytes: this.#bytes, repairs: this.#repairs, readBytesPerSecond: (this.#readBytes * 1000) / Math.max(this.#readMs, 1e-3) };
  }

  /** Where a streamed layer is just now, by its place in the plan: to look at, not to rely on. */
  stateOf(index: number): Exclude<LayerState, "resident"> {
    const { layers } = this.#options;
    const layerOf = (visit: number): (typeof layers)[number] => layers[visit % layers.length];
    // A frame holds what was put into it last.
    const frames = new Set<readonly GPUBuffer[]>();
    for (let visit = this.#filled - 1; visit >= Math.max(0, this.#filled - layers.length); visit--) {
      const { place, index: other } = layerOf(visit);
      if (other === index && !frames.has(place.buffers)) return "frame";
      frames.add(place.buffers);
    }
    return this.#readings.some(({ visit }) => layerOf(visit).index === index) ? "reading" : "stored";
  }

  /** A step begins: with the first layer, wherever the one before was left. What failed before is tried again. */
  begin(): void {
    const round = this.#options.layers.length;
    const first = Math.ceil(this.#submitted / round) * round;
    this.#submitted = first;
    this.#filled = Math.max(this.#filled, first);
    if (this.#next.visit < first) this.#next = { visit: first, chunk: 0 };
    if (this.#failure && !this.#closed) {
      this.#failure = undefined;
      for (const reading of this.#readings.filter(({ state }) => state === "failed")) void this.#read(reading);
    }
    this.#flush();
    this.#pump();
  }

  /** Waits until the next layer of the step is there; nothing to wait for when it is. @throws {ShaderloomError} why it cannot be read */
  ready(): Promise<void> | undefined {
    const visit = this.#submitted;
    if (visit < this.#filled && !this.#closed) return undefined;
    if (this.#failure) throw this.#failure;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ visit, resolve, reject });
    });
  }

  /** The next layer of the step is submitted. */
  submitted(): void {
    assert(this.#submitted < this.#filled, "a layer is submitted once it is there");
    this.#submitted++;
    this.#flush();
    this.#pump();
  }

  /** Ends what waits; reading goes on. */
  interrupt(error: ShaderloomError): void {
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }

  /** Nothing is read or copied any more. */
  close(error: ShaderloomError): void {
    this.#closed = true;
    this.#failure = error;
    this.interrupt(error);
  }

  #pump(): void {
    const { image, layers, plan } = this.#options;
    if (layers.length === 0) return;
    while (!this.#failure && this.#underWay < image.readsAtOnce) {
      const slot = this.#free.shift();
      if (!slot) return;
      const { visit, chunk } = this.#next;
      const { chunks } = plan.sections[layers[visit % layers.length].index];
      this.#next = chunk + 1 < chunks ? { visit, chunk: chunk + 1 } : { visit: visit + 1, chunk: 0 };
      const reading: Reading = { visit, chunk, slot, state: "reading" };
      this.#readings.push(reading);
      void this.#read(reading);
    }
  }

  async #read(reading: Reading): Promise<void> {
    reading.state = "reading";
    if (this.#underWay++ === 0) this.#readingSince = performance.now();
    try {
      await this.#fill(reading);
      reading.state = "read";
      this.#readBytes += this.#options.plan.chunkBytes;
    } catch (thrown) {
      reading.state = "failed";
      this.#fail(asShaderloomError(thrown, "STORE.failed"), reading.visit);
    } finally {
      if (--this.#underWay === 0) this.#readMs += performance.now() - this.#readingSince;
    }
    this.#flush();
    this.#pump();
  }

  async #fill({ visit, chunk, slot }: Reading): Promise<void> {
    const { image, layers, repair } = this.#options;
    const { index } = layers[visit % layers.length];
    // What a step that was left wanted need not be there.
    if (visit < this.#submitted || (await image.read(index, chunk, slot.bytes))) return;
    // What is lost again right after is kept in memory the second time.
    for (let tries = 0; tries < repairTries; tries++) {
      this.#repairs++;
      await repair([index]);
      if (await image.read(index, chunk, slot.bytes)) return;
    }
    throw lostAgain(index);
  }

  /** Submits copies of what is read, in order, as far as frames are free. */
  #flush(): void {
    if (this.#closed) return;
    const { device, layers, plan } = this.#options;
    let encoder: GPUCommandEncoder | undefined;
    const copied: GPUBuffer[] = [];
    for (;;) {
      const [first] = this.#readings;
      if (first?.state !== "read" || !this.#mayCopy(first.visit)) break;
      this.#readings.shift();
      const { visit, chunk, slot } = first;
      // The step that wanted it was left.
      if (visit < this.#submitted) {
        this.#free.push(slot);
        continue;
      }
      const { index, place } = layers[visit % layers.length];
      slot.buffer.unmap();
      encoder ??= device.createCommandEncoder({ label: "weights" });
      copyToFrame(encoder, slot.buffer, chunk * plan.chunkBytes, place);
      copied.push(slot.buffer);
      this.#bytes += plan.chunkBytes;
      if (chunk === plan.sections[index].chunks - 1) this.#filled = visit + 1;
    }
    if (encoder) device.queue.submit([encoder.finish()]);
    for (const buffer of copied) void this.#remap(buffer);
    for (const waiting of this.#waiting.filter(({ visit }) => visit < this.#filled)) {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.resolve();
    }
  }

  /** Whether all that read a visit's frame before it are submitted. */
  #mayCopy(visit: number): boolean {
    const { layers } = this.#options;
    const frameOf = (other: number): readonly GPUBuffer[] => layers[other % layers.length].place.buffers;
    for (let before = this.#submitted; before < visit; before++) if (frameOf(before) === frameOf(visit)) return false;
    return true;
  }

  async #remap(buffer: GPUBuffer): Promise<void> {
    try {
      this.#free.push(await remapped(buffer));
    } catch (thrown) {
      return this.#fail(asShaderloomError(thrown));
    }
    this.#pump();
  }

  /** Ends what waits for a visit or a later one: what was read before it is still good. */
  #fail(error: ShaderloomError, visit = 0): void {
    this.#failure ??= error;
    const ended = this.#waiting.filter((waiting) => waiting.visit >= visit);
    for (const waiting of ended) this.#waiting.splice(this.#waiting.indexOf(waiting), 1)[0].reject(this.#failure);
  }
}

/** A section of the image that was made anew and is gone again. */
export function lostAgain(section: number): ShaderloomError {
  const message =
    "A layer of the model could not be read back from storage, and was lost again when it was made anew. Load the model again.";
  return new ShaderloomError("STORE.evicted", message, { retryable: true, detail: { section } });
}
