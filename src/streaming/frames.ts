// GPU buffers that hold layers: one set for each that stays, and frames that the others rotate through. Knows where a layer's bytes go and
// which bytes a slab is; moves none by itself.

import { assert } from "../base/errors.ts";
import type { BufferLedger, BufferRange } from "../gpu/buffers.ts";
import type { Section } from "./types.ts";

/** Where a section is cut so that no buffer outgrows the device's largest: offsets of the first bytes of its pieces, at borders of slabs. */
export function pieceStarts({ slabs, bytes }: Section, maxBufferBytes: number): readonly number[] {
  const borders = [...slabs.values(), bytes];
  const starts = [0];
  for (const [index, border] of borders.slice(1).entries()) {
    const start = starts[starts.length - 1];
    if (border - start > maxBufferBytes && borders[index] > start) starts.push(borders[index]);
  }
  return starts;
}

/** Bytes of the buffers that hold any of some sections. */
export function frameSizes(sections: readonly Section[], maxBufferBytes: number): readonly number[] {
  const sizes: number[] = [];
  for (const section of sections) {
    const starts = [...pieceStarts(section, maxBufferBytes), section.bytes];
    for (const [piece, end] of starts.slice(1).entries()) sizes[piece] = Math.max(sizes[piece] ?? 0, end - starts[piece]);
  }
  return sizes;
}

/** Where a section's bytes lie on the GPU. */
export interface Placement {
  readonly section: Section;
  readonly starts: readonly number[];
  readonly buffers: readonly GPUBuffer[];
}

/** Makes the buffers of a frame, or of a layer that stays. @throws {ShaderloomError} GPU.oom */
export function makeFrame(ledger: BufferLedger, label: string, sizes: readonly number[]): readonly GPUBuffer[] {
  const made: GPUBuffer[] = [];
  try {
    for (const [piece, size] of sizes.entries()) made.push(ledger.create("weights", { label: `${label} piece ${piece}`, size }));
    return made;
  } catch (thrown) {
    for (const buffer of made) ledger.destroy(buffer);
    throw thrown;
  }
}

/** The range of a slab that a section has. */
export function slabRange({ section, starts, buffers }: Placement, slab: string): BufferRange {
  const at = section.slabs.get(slab);
  assert(at !== undefined, `layer ${section.layer} has no ${slab}`);
  const piece = starts.findLastIndex((start) => start <= at);
  return { buffer: buffers[piece], offset: at - starts[piece] };
}

/** Encodes copies of bytes that lie at the start of `source` to byte `at` of a section; what is beyond its end stays behind. */
export function copyToFrame(encoder: GPUCommandEncoder, source: GPUBuffer, at: number, { section, starts, buffers }: Placement): void {
  const end = Math.min(at + source.size, section.bytes);
  for (const [piece, start] of starts.entries()) {
    const from = Math.max(at, start);
    const to = Math.min(end, starts[piece + 1] ?? section.bytes);
    if (to > from) encoder.copyBufferToBuffer(source, from - at, buffers[piece], from - start, to - from);
  }
}
