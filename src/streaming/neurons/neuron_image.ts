// Records of bundles as an image in the store: a layer is a section, a record a chunk of its own, so that each is read and checked by itself.

import { assert } from "../../base/errors.ts";
import { chunkBytes as mostChunkBytes } from "../../store/chunk_store.ts";
import { lostAgain } from "../feed.ts";
import type { ImagePlan, WeightImage } from "../types.ts";
import type { RecordReader } from "./neuron_cache.ts";

/** Records of a layer. */
export interface RecordSizes {
  readonly layer: number;
  readonly bundles: number;
  /** A multiple of 256. */
  readonly recordBytes: number;
}

/** @param revision  digest of all that the records depend on */
export function planNeuronImage(layers: readonly RecordSizes[], revision: string): ImagePlan {
  const chunkBytes = Math.max(...layers.map(({ recordBytes }) => recordBytes));
  assert(chunkBytes <= mostChunkBytes, `a record of ${chunkBytes} bytes is no chunk`);
  let firstChunk = 0;
  const sections = layers.map(({ layer, bundles }) => {
    const section = { layer, firstChunk, chunks: bundles, bytes: bundles * chunkBytes, slabs: new Map<string, number>() };
    firstChunk += bundles;
    return section;
  });
  return { chunkBytes, sections, bytes: firstChunk * chunkBytes, revision };
}

/** Makes a bundle's record in zero-filled room. */
export type PackRecord = (layer: number, bundle: number, out: Uint8Array<ArrayBuffer>) => void | Promise<void>;

/** Writes layers of the image, by their places: those that are missing, or those to be made anew. */
export async function writeRecords(
  image: Pick<WeightImage, "write">,
  plan: ImagePlan,
  { layers, pack, places }: { layers: readonly RecordSizes[]; pack: PackRecord; places: readonly number[] },
): Promise<void> {
  for (const place of places) {
    const { bundles, recordBytes } = layers[place];
    const bytes = new Uint8Array(bundles * plan.chunkBytes);
    for (let bundle = 0; bundle < bundles; bundle++) {
      const at = bundle * plan.chunkBytes;
      await pack(place, bundle, bytes.subarray(at, at + recordBytes));
    }
    await image.write(place, bytes);
  }
}

/**
 * Records out of an image.
 * @param repair  writes a section anew, from the source
 */
export function imageRecords(
  image: Pick<WeightImage, "read">,
  { plan, layers, repair }: { plan: ImagePlan; layers: readonly RecordSizes[]; repair: (place: number) => Promise<void> },
): RecordReader {
  const readRecord = async (place: number, bundle: number, into: Uint8Array<ArrayBuffer>): Promise<void> => {
    if (await image.read(place, bundle, into)) return;
    await repair(place);
    if (!(await image.read(place, bundle, into))) throw lostAgain(place);
  };
  return {
    async read(place, { first, count }, into) {
      const { recordBytes } = layers[place];
      for (let at = 0; at < count; at++) {
        const room = into.subarray(at * recordBytes, (at + 1) * recordBytes);
        if (recordBytes === plan.chunkBytes) await readRecord(place, first + at, room);
        else {
          const chunk = new Uint8Array(plan.chunkBytes);
          await readRecord(place, first + at, chunk);
          room.set(chunk.subarray(0, recordBytes));
        }
      }
    },
  };
}
