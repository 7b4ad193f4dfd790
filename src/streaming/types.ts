// What the parts of weight streaming agree on. Plain data; how it fits together is in ARCHITECTURE.md.

import type { StoreTier } from "../store/chunk_store.ts";

/** A layer's weights in the image, in the form in which the GPU has them. */
export interface Section {
  readonly layer: number;
  /** Its first chunk in the image. */
  readonly firstChunk: number;
  readonly chunks: number;
  /** Bytes of its slabs with the padding between them, a multiple of 256; what is left of its last chunk is zero. */
  readonly bytes: number;
  /** Where each slab begins in the section, by name; multiples of 256. */
  readonly slabs: ReadonlyMap<string, number>;
}

/** Where every layer lies in the image. */
export interface ImagePlan {
  /** Multiple of 256, at most the store's 4 MiB. */
  readonly chunkBytes: number;
  /** In the order of the layers. */
  readonly sections: readonly Section[];
  /** Chunks times their size. */
  readonly bytes: number;
  /** sha256 of everything that the bytes depend on beside the weights; another layout is another image. */
  readonly revision: string;
}

/** The repacked copy of a model's layers, stored in checked chunks. */
export interface WeightImage {
  /** Where it lies; `memory` as soon as a part of it does. */
  readonly tier: StoreTier;
  /** Whether `complete` was called for these bytes, now or when they were written. Without it nobody vouches for what is there. */
  readonly completed: boolean;
  /** Reads that are worth having under way at once. */
  readonly readsAtOnce: number;
  /** Sections of which a chunk is missing, by their place in the plan. */
  missing(): readonly number[];
  /**
   * Stores a section over what is there of it.
   * @param bytes  whole chunks, the last padded with zeros
   * @throws {ShaderloomError} INTEGRITY.image when a complete image had other bytes there: it is then of no use; QUOTA.full, STORE.*
   */
  write(section: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /**
   * Reads a chunk of a section, `chunkBytes` long, into `into`, which may be mapped GPU memory, and compares its checksum.
   * @returns false when it is missing or damaged: the section is then in `missing`
   * @throws {ShaderloomError} STORE.* when the store itself is out of order, GPU.lost when `into` is no longer mapped
   */
  read(section: number, chunk: number, into: Uint8Array<ArrayBuffer>): Promise<boolean>;
  /** All sections are there, made of bytes that are what was promised: notes it, and lets go of older images of the model. */
  complete(): Promise<void>;
  /** Forgets all sections: what they were made of turned out wrong, or nobody can vouch for it any more. */
  clear(): Promise<void>;
  close(): void;
}

/** How weights are spread; chosen by measurement or forced. */
export interface StreamingKnobs {
  /** Layers that stay on the GPU. */
  readonly resident: number;
  /** Layers (or a part of one) read ahead of what the GPU computes. */
  readonly prefetch: number;
}

/** Where a layer's weights are: on the GPU for good, in a frame, on their way into one, or in the image alone. */
export type LayerState = "resident" | "frame" | "reading" | "stored";

/** What streaming did so far. */
export interface StreamingStats extends StreamingKnobs {
  /** Where each layer is just now, in their order. */
  readonly layers?: readonly LayerState[];
  /** Layers that are read for each step. */
  readonly streamed: number;
  /** Sets of GPU buffers that they rotate through. */
  readonly frames: number;
  readonly stagingBytes: number;
  readonly image: { readonly tier: StoreTier; readonly bytes: number };
  /** Weight bytes copied to the GPU for steps, all in all. */
  readonly bytes: number;
  /** Of a step; the same for a token as for a prompt's chunk. */
  readonly bytesPerStep: number;
  /** Mean time that a decode step waited for weights to be read, in milliseconds. */
  readonly stallMsPerToken: number;
  /** Bytes per second that the image was read with, while it was being read. */
  readonly readBytesPerSecond: number;
  /** Sections that were found damaged or missing and made anew. */
  readonly repairs: number;
  /** What the choice of knobs rested on: milliseconds of a token as foretold, and of its computing alone. */
  readonly foretold: { readonly tokenMs: number; readonly computeMs: number };
}
