// How many layers stay on the GPU and how much is read ahead: foretells the time of a token from measured rates, and takes the best. Pure
// arithmetic; also what the verdict on a model that is not loaded yet rests on.
//
// The model: one reader, which waits for a free staging buffer; one GPU queue, in order, that copies what was read and computes a layer once
// its last bytes are copied; a staging buffer is free again when its copy ran. TPI-LLM (arXiv:2410.00531) and Superpipeline (arXiv:2410.08791)
// have the same two knobs.

import { frameSizes } from "./frames.ts";
import type { ImagePlan, Section } from "./types.ts";

/** What there is to spread. */
export interface StreamShape extends Pick<ImagePlan, "sections" | "chunkBytes"> {
  readonly maxBufferBytes: number;
}

export interface Rates {
  /** Bytes per millisecond from the store into mapped memory. */
  readonly read: number;
  /** Bytes per millisecond from staging buffers into frames. */
  readonly copy: number;
  /** Milliseconds until a copy that ran is known of, when its staging buffer is free. */
  readonly toldMs: number;
  /** Milliseconds that a step computes with all of its weights there. */
  readonly computeMs: number;
  /** Of these, what is not of layers: the head and the choice of a token. */
  readonly headMs: number;
}

export interface Spread {
  /** Which layers stay, in the order of the sections. */
  readonly resident: readonly boolean[];
  /** Chunks that are read ahead. */
  readonly stagingChunks: number;
}

export interface Foretold {
  /** Milliseconds of a step among others. */
  readonly stepMs: number;
  /** Bytes read for it. */
  readonly bytes: number;
}

/** Steps until one is like the next. */
const simulatedSteps = 4;

/** What a step takes, steps following each other without a pause. */
export function simulate({ sections, chunkBytes }: Pick<StreamShape, "sections" | "chunkBytes">, spread: Spread, rates: Rates): Foretold {
  const { resident, stagingChunks } = spread;
  const all = sections.reduce((sum, { bytes }) => sum + bytes, 0);
  const staging = new Float64Array(stagingChunks);
  let chunk = 0;
  let readerMs = 0;
  let gpuMs = 0;
  let before = 0;
  let bytes = 0;
  for (let step = 0; step < simulatedSteps; step++) {
    before = gpuMs;
    bytes = 0;
    for (const [index, section] of sections.entries()) {
      for (let at = 0; !resident[index] && at < section.chunks; at++) {
        const slot = chunk++ % stagingChunks;
        readerMs = Math.max(readerMs, staging[slot]) + chunkBytes / rates.read;
        gpuMs = Math.max(readerMs, gpuMs) + chunkBytes / rates.copy;
        staging[slot] = gpuMs + rates.toldMs;
        bytes += chunkBytes;
      }
      gpuMs += ((rates.computeMs - rates.headMs) * section.bytes) / all;
    }
    gpuMs += rates.headMs;
  }
  return { stepMs: gpuMs - before, bytes };
}

/** Which of `layers` stay when `count` do: the first, the last, and others that lie evenly, so that reading never has long to wait. */
export function spreadResident(layers: number, count: number): readonly boolean[] {
  const gap = count > 1 ? (layers - 1) / (count - 1) : 0;
  const kept = new Set(Array.from({ length: count }, (_, index) => Math.round(index * gap)));
  return Array.from({ length: layers }, (_, layer) => kept.has(layer));
}

/**
 * Sets of buffers that layers rotate through. A second would let a copy run beside the layer before it where a GPU can do both; it takes the
 * room of a layer that could stay, and no measurement speaks for it yet.
 */
export const usedFrames = 1;

/** What layers and staging may take. */
export interface Room {
  readonly bytes: number;
  /** Sets of buffers that layers rotate through. */
  readonly frames: number;
  /** Reads that are under way together: fewer buffers would hold them up. */
  readonly readsAtOnce: number;
}

export interface Wish {
  readonly residentLayers?: number | undefined;
  /** Layers read ahead. */
  readonly prefetchLayers?: number | undefined;
}

export interface Choice extends Spread, Foretold {
  readonly frames: number;
}

/** Fewest staging buffers: one is read into while the other is copied. */
export const leastStaging = 2;

/** Bytes that a spread takes on the GPU. */
export function spreadBytes({ sections, chunkBytes, maxBufferBytes }: StreamShape, spread: Spread & { readonly frames: number }): number {
  const kept = sections.filter((_, index) => spread.resident[index]).reduce((sum, { bytes }) => sum + bytes, 0);
  const streamed = sections.filter((_, index) => !spread.resident[index]);
  const frame = frameSizes(streamed, maxBufferBytes).reduce((sum, bytes) => sum + bytes, 0);
  return kept + frame * spread.frames + spread.stagingChunks * chunkBytes;
}

/** Bytes with which the layers can be streamed at all. */
export function leastBytes(shape: StreamShape): number {
  return spreadBytes(shape, { resident: shape.sections.map(() => false), stagingChunks: leastStaging, frames: 1 });
}

/** Layers read ahead that are tried. */
const prefetches: readonly number[] = [0, 0.25, 0.5, 1, 2];

/** The fastest spread that there is room for; of those as fast the one that takes least. Undefined when not even the least fits. */
export function chooseSpread(
  shape: StreamShape,
  room: Room,
  { rates, wish = {} }: { readonly rates: Rates; readonly wish?: Wish },
): Choice | undefined {
  const perLayer = Math.max(...shape.sections.map(({ chunks }) => chunks));
  const { prefetchLayers } = wish;
  // A wish for more than there is room for is met as far as it can be.
  const tried =
    prefetchLayers === undefined ? prefetches : [prefetchLayers, ...prefetches.filter((one) => one < prefetchLayers).toReversed()];
  const fewest = prefetchLayers === undefined ? Math.max(leastStaging, room.readsAtOnce + 1) : leastStaging;
  const ahead = new Set([...tried.map((prefetch) => Math.max(fewest, Math.ceil(prefetch * perLayer))), leastStaging]);
  let best: Choice | undefined;
  for (const stagingChunks of ahead) {
    // Less than reads need is for those who have no more.
    if (best && stagingChunks < fewest) break;
    for (let frames = room.frames; frames >= 1; frames--) {
      const spread = mostResident(shape, room.bytes, { stagingChunks, frames, most: wish.residentLayers });
      if (!spread) continue;
      const choice = { ...spread, frames, ...simulate(shape, spread, rates) };
      if (prefetchLayers !== undefined) return choice;
      if (best === undefined || choice.stepMs < best.stepMs * 0.995) best = choice;
      break;
    }
  }
  return best;
}

interface Ahead {
  readonly stagingChunks: number;
  readonly frames: number;
  readonly most: number | undefined;
}

function mostResident(shape: StreamShape, bytes: number, { stagingChunks, frames, most = Infinity }: Ahead): Spread | undefined {
  const layers = shape.sections.length;
  for (let count = Math.min(most, layers - 1); count >= 0; count--) {
    const spread = { resident: spreadResident(layers, count), stagingChunks };
    if (spreadBytes(shape, { ...spread, frames }) <= bytes) return spread;
  }
  return undefined;
}

/** Chunks of a layer, on the average, that `chunks` are. */
export function asLayers(sections: readonly Section[], chunks: number): number {
  return (
    (chunks * sections.length) /
    Math.max(
      1,
      sections.reduce((sum, section) => sum + section.chunks, 0),
    )
  );
}
