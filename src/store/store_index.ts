// StoreIndex: everything that is stored, as found: manifests that check out, each with how much of it is there, and what has no
// readable manifest. Reads keys and manifests only, writes nothing.

import {
  type Manifest,
  chunkKey,
  chunkLengthOf,
  chunkPrefix,
  decodeManifest,
  decodeRecord,
  isImage,
  manifestPrefix,
  parseChunkKey,
} from "./manifest.ts";
import { type StoreParts, usedPrefix } from "./store_parts.ts";

/** A file with a sound manifest. */
export interface IndexedFile {
  /** Called complete only when all its records are there; `usedAt` is its model's. */
  readonly manifest: Manifest;
  readonly storedBytes: number;
}

/** A file whose manifest is gone or damaged. Opened again with its identity it gets a new one, and its chunks are found. */
export interface NamelessFile {
  readonly id: string;
  readonly storedBytes: number;
  readonly usedAt: number;
}

export interface StoreIndex {
  readonly files: readonly IndexedFile[];
  readonly nameless: readonly NamelessFile[];
}

export async function readIndex({ keyValue }: Pick<StoreParts, "keyValue">): Promise<StoreIndex> {
  const keys = await keyValue.keys(manifestPrefix);
  const values = await keyValue.getMany(keys);
  const chunks = await readChunkNumbers({ keyValue });
  const used = await readUsed({ keyValue });
  const files: IndexedFile[] = [];
  const nameless = new Set(chunks.keys());
  for (const [at, key] of keys.entries()) {
    const id = key.slice(manifestPrefix.length);
    const manifest = await decodeManifest(id, values[at]);
    if (manifest === undefined) {
      nameless.add(id);
      continue;
    }
    nameless.delete(id);
    const usedAt = used.get(manifest.model) ?? manifest.usedAt;
    files.push(indexFile({ ...manifest, usedAt }, chunks.get(id) ?? []));
  }
  const sizes = [...nameless].map(async (id): Promise<NamelessFile> => {
    const storedBytes = await sumRecords({ keyValue }, id, chunks.get(id) ?? []);
    return { id, storedBytes, usedAt: used.get(id) ?? 0 };
  });
  return { files, nameless: await Promise.all(sizes) };
}

/** What was made from a model. It may be there without the model. */
export function imagesOfModel({ files }: StoreIndex, model: string): IndexedFile[] {
  return files.filter(({ manifest }) => manifest.model === model && isImage(manifest));
}

/** Files of a model, the first one first; none that was made from them. */
export function filesOfModel({ files }: StoreIndex, model: string): IndexedFile[] {
  const found = files.filter(({ manifest }) => manifest.model === model && !isImage(manifest));
  return found.toSorted(({ manifest: a }, { manifest: b }) => {
    if (a.id === model || b.id === model) return a.id === model ? -1 : 1;
    return a.name < b.name ? -1 : 1;
  });
}

function indexFile(manifest: Manifest, indices: readonly number[]): IndexedFile {
  const storedBytes = indices.reduce((sum, index) => sum + chunkLengthOf(manifest, index), 0);
  const lacking = manifest.state === "complete" && storedBytes < manifest.bytes;
  return { manifest: lacking ? { ...manifest, state: "partial", verified: false } : manifest, storedBytes };
}

/** Numbers of the recorded chunks, by file. */
async function readChunkNumbers({ keyValue }: Pick<StoreParts, "keyValue">): Promise<Map<string, number[]>> {
  const numbers = new Map<string, number[]>();
  for (const key of await keyValue.keys(chunkPrefix)) {
    const place = parseChunkKey(key);
    if (place === undefined) continue;
    const known = numbers.get(place.id);
    if (known === undefined) numbers.set(place.id, [place.index]);
    else known.push(place.index);
  }
  return numbers;
}

async function readUsed({ keyValue }: Pick<StoreParts, "keyValue">): Promise<Map<string, number>> {
  const keys = await keyValue.keys(usedPrefix);
  const values = await keyValue.getMany(keys);
  const times = keys.map((key, at) => [key.slice(usedPrefix.length), values[at]] as const);
  return new Map(times.filter((entry): entry is readonly [string, number] => Number.isSafeInteger(entry[1])));
}

async function sumRecords({ keyValue }: Pick<StoreParts, "keyValue">, id: string, indices: readonly number[]): Promise<number> {
  const values = await keyValue.getMany(indices.map((index) => chunkKey(id, index)));
  let sum = 0;
  for (const [at, index] of indices.entries()) sum += (await decodeRecord(id, index, values[at]))?.bytes ?? 0;
  return sum;
}
