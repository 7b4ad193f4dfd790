// Which weights belong to which layer, and where they lie in the image. Only arithmetic on a layout plan; the bytes themselves are the same as
// in a full load, so that products give the same bits.

import { assert } from "../base/errors.ts";
import { bindAlignment, type LayoutPlan, type Slab } from "../base/layout.ts";
import { alignUp, ceilDiv, clamp } from "../base/math.ts";
import { chunkBytes as storeChunkBytes } from "../store/chunk_store.ts";
import { sha256 } from "../store/hash.ts";
import type { ImagePlan, Section } from "./types.ts";

/** Raised when the bytes of an image change though its layout does not: how weights are packed, or where sections lie. */
const imageVersion = 1;

/** Chunks of a layer, as long as they are neither too small to read nor larger than what is stored: reading ahead goes by chunks. */
const wantedChunks = 8;
/** From here on a read costs more than its bytes. */
const leastChunkBytes = 64 << 10;

/** The layer that a tensor belongs to; undefined for what is not of a layer. */
export function layerOf(tensor: string): number | undefined {
  const [, layer] = /^blk\.(\d+)\./.exec(tensor) ?? [];
  return layer === undefined ? undefined : Number(layer);
}

/** The layer of a slab; undefined for what stays on the GPU: embedding, head, and vectors, which lie together. */
export function slabLayer({ kind, parts }: Slab): number | undefined {
  if (kind === "vector") return undefined;
  const layers = new Set(parts.map(({ tensor }) => layerOf(tensor)));
  assert(layers.size === 1, "a slab belongs to one layer");
  return [...layers][0];
}

/** The slabs of each layer, and of none. */
export function splitLayers({ slabs }: LayoutPlan): {
  readonly fixed: readonly Slab[];
  readonly layers: ReadonlyMap<number, readonly Slab[]>;
} {
  const fixed: Slab[] = [];
  const layers = new Map<number, Slab[]>();
  for (const slab of slabs) {
    const layer = slabLayer(slab);
    if (layer === undefined) fixed.push(slab);
    else layers.set(layer, [...(layers.get(layer) ?? []), slab]);
  }
  return { fixed, layers };
}

/**
 * Lays out the image.
 * @param facts  what else the bytes depend on: the types that tensors are converted from
 */
export async function planImage(plan: LayoutPlan, facts: string): Promise<ImagePlan> {
  const layers = [...splitLayers(plan).layers].toSorted(([a], [b]) => a - b);
  const placed = layers.map(([layer, slabs]) => ({ layer, ...placeSlabs(slabs) }));
  const largest = Math.max(bindAlignment, ...placed.map(({ bytes }) => bytes));
  const wanted = clamp(ceilDiv(largest, wantedChunks), leastChunkBytes, storeChunkBytes);
  // Layers of one size are whole chunks: nothing is read that is not needed.
  const chunkBytes = alignUp(ceilDiv(largest, ceilDiv(largest, wanted)), bindAlignment);
  let chunks = 0;
  const sections = placed.map(({ layer, bytes, slabs }): Section => {
    const firstChunk = chunks;
    chunks += ceilDiv(bytes, chunkBytes);
    return { layer, firstChunk, chunks: chunks - firstChunk, bytes, slabs };
  });
  const described = JSON.stringify([imageVersion, chunkBytes, facts, plan.slabs.filter((slab) => slabLayer(slab) !== undefined)]);
  return { chunkBytes, sections, bytes: chunks * chunkBytes, revision: await sha256(new TextEncoder().encode(described)) };
}

function placeSlabs(slabs: readonly Slab[]): Pick<Section, "bytes" | "slabs"> {
  const places = new Map<string, number>();
  let bytes = 0;
  for (const slab of slabs) {
    places.set(slab.name, bytes);
    bytes += alignUp(slab.bytes, bindAlignment);
  }
  return { bytes, slabs: places };
}
