// Listing: what is stored, as models for people. Files of a model are one entry; what has no readable manifest is an entry too,
// so that nothing takes up room unseen.

import { type Manifest, isImage } from "./manifest.ts";
import type { StoredModel } from "./model_store.ts";
import { type IndexedFile, type NamelessFile, type StoreIndex, filesOfModel, imagesOfModel } from "./store_index.ts";
import type { StoreTier } from "./chunk_store.ts";

/** Addresses of copies of local files. */
export const importScheme = "import:";

/**
 * The last used first.
 *
 * @param tier what is said of entries whose own is unknown
 * @param elsewhere ids of models that are listed by others
 */
export function listModels(index: StoreIndex, tier: StoreTier, elsewhere: readonly string[] = []): StoredModel[] {
  const models = new Set(index.files.filter(({ manifest }) => !isImage(manifest)).map(({ manifest }) => manifest.model));
  const named = [...models].map((model) => describe(model, filesOfModel(index, model)));
  const nameless = index.nameless.filter(({ id }) => !models.has(id));
  const known = new Set([...models, ...nameless.map(({ id }) => id), ...elsewhere]);
  const orphans = index.files.filter(({ manifest }) => !known.has(manifest.model));
  const copies = new Map(orphans.map(({ manifest }) => [manifest.model, describeCopy(manifest)]));
  const rest = [...nameless.map((entry) => ({ ...damaged(entry), tier })), ...copies.values()];
  return [...named, ...rest]
    .map((entry) => ({ ...entry, imageBytes: imageBytesOf(index, entry.id) }))
    .toSorted((a, b) => b.usedAt - a.usedAt);
}

/** Bytes that are here of what was made from a model. */
export function imageBytesOf(index: StoreIndex, model: string): number {
  return imagesOfModel(index, model).reduce((sum, { storedBytes }) => sum + storedBytes, 0);
}

type Entry = Omit<StoredModel, "imageBytes">;

function describe(model: string, files: readonly IndexedFile[]): Entry {
  const manifests = files.map(({ manifest }) => manifest);
  const [first] = manifests;
  const sum = (count: (file: IndexedFile) => number): number => files.reduce((total, file) => total + count(file), 0);
  return {
    id: model,
    kind: first?.url.startsWith(importScheme) ? "imported" : "downloaded",
    name: first?.name ?? model,
    location: locationOf(model, first),
    revision: first?.revision ?? "",
    bytes: sum(({ manifest }) => manifest.bytes),
    storedBytes: sum(({ storedBytes }) => storedBytes),
    complete: manifests.every(({ state }) => state === "complete") && first?.id === model,
    verified: manifests.every(({ verified }) => verified),
    tier: first?.tier ?? "memory",
    files: files.length,
    createdAt: Math.min(...manifests.map(({ createdAt }) => createdAt)),
    usedAt: Math.max(...manifests.map(({ usedAt }) => usedAt)),
  };
}

/** The address, unless it is not all of it: a stored address lacks its query, and a copy or a model without its first file has none. */
function locationOf(model: string, first: Manifest | undefined): string {
  const whole = first !== undefined && first.id === model && !first.url.startsWith(importScheme) && !first.url.includes("?");
  return whole ? first.url : `stored:${model}`;
}

/** An image that no stored model has. */
function describeCopy({ model: id, name, tier, createdAt, usedAt }: Manifest): Entry {
  const nothing = { revision: "", bytes: 0, storedBytes: 0, complete: true, verified: false, files: 0 };
  return { id, kind: "copy", name, location: `stored:${id}`, ...nothing, tier, createdAt, usedAt };
}

function damaged({ id, storedBytes, usedAt }: NamelessFile): Omit<Entry, "tier"> {
  return {
    id,
    kind: "downloaded",
    name: `damaged entry ${id.slice(0, 8)}`,
    location: `stored:${id}`,
    revision: "",
    bytes: storedBytes,
    storedBytes,
    complete: false,
    verified: false,
    files: 1,
    createdAt: usedAt,
    usedAt,
  };
}
