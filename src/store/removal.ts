// Removal: deletes models that nobody uses, evicts those used longest ago, and sweeps up chunks that belong to no file. Never
// waits for a lock: what is in use stays.

import { ShaderloomError } from "../base/errors.ts";
import type { StoreDiagnostics } from "./diagnostics.ts";
import { chunkPrefix, isFileId, manifestKey, manifestPrefix, parseChunkKey } from "./manifest.ts";
import type { Hold } from "./model_store.ts";
import { type StoreIndex, filesOfModel, imagesOfModel, readIndex } from "./store_index.ts";
import { type StoreParts, busyModel, downloadLock, downloadLocks, missingModel, shelfLock, useLock, usedKey } from "./store_parts.ts";

/** A model as far as deleting it goes. */
interface Removable {
  readonly model: string;
  readonly name: string;
  readonly ids: readonly string[];
  readonly urls: readonly string[];
  /** Ids of what was made from it, among `ids`; each may be in use by itself. */
  readonly images: readonly string[];
  /** Whether a manifest is unreadable, so that not all addresses are known. */
  readonly nameless: boolean;
  readonly storedBytes: number;
  readonly usedAt: number;
}

/** `ModelStore.delete`, for what has bytes in the store. */
export async function deleteModel(parts: StoreParts, model: string): Promise<void> {
  const found = removables(await readIndex(parts)).find((one) => one.model === model);
  if (found === undefined) throw missingModel(model);
  const refused = await tryRemove(parts, found);
  if (refused !== undefined) throw busyModel(found.name, refused);
  await sweep(parts);
}

/** `ModelStore.evict`. Files without a readable manifest go first: only a lucky visit could use them again. */
export async function evictModels(parts: StoreParts, bytes: number, except: string, diagnostics?: StoreDiagnostics): Promise<number> {
  await sweep(parts);
  const candidates = removables(await readIndex(parts)).filter(({ model }) => model !== except);
  let freed = 0;
  for (const one of candidates.toSorted((a, b) => rank(a) - rank(b))) {
    if (freed >= bytes) break;
    if (one.storedBytes === 0 || (await tryRemove(parts, one)) !== undefined) continue;
    freed += one.storedBytes;
    if (diagnostics !== undefined) diagnostics.evictions++;
  }
  return freed;
}

/** `ModelStore.deleteSuperseded`. */
export async function deleteSuperseded(parts: StoreParts, url: string): Promise<void> {
  const index = await readIndex(parts);
  const heads = index.files.map(({ manifest }) => manifest).filter((one) => one.url === url && one.id === one.model);
  const whole = heads.filter(({ model }) => filesOfModel(index, model).every(({ manifest }) => manifest.state === "complete"));
  const newest = Math.max(...whole.map(({ createdAt }) => createdAt));
  const old = new Set(heads.filter(({ createdAt }) => createdAt < newest).map(({ model }) => model));
  for (const one of removables(index)) if (old.has(one.model)) await tryRemove(parts, one);
}

/** `ModelStore.deleteImages`. Who writes an image uses it, so no other lock is asked for. */
export async function deleteImages(parts: StoreParts, model: string, except?: string): Promise<number> {
  const old = imagesOfModel(await readIndex(parts), model).filter(({ manifest }) => manifest.id !== except);
  let freed = 0;
  for (const { manifest, storedBytes } of old) {
    const hold = await parts.locks.tryAcquire(useLock(manifest.id), "exclusive");
    if (hold === undefined) continue;
    try {
      await removeFiles(parts, [manifest.id]);
      freed += storedBytes;
    } finally {
      hold.release();
    }
  }
  return freed;
}

/**
 * Removes chunks in the tiers that have neither manifest nor record, so that nobody can ever claim them: what is left when a browser loses
 * its database but not its files. Skipped while another tab makes a place for a file.
 *
 * @returns how many files there were
 */
export async function sweep(parts: StoreParts): Promise<number> {
  const shelf = await parts.locks.tryAcquire(shelfLock, "exclusive");
  if (shelf === undefined) return 0;
  let swept = 0;
  try {
    const known = new Set((await parts.keyValue.keys(manifestPrefix)).map((key) => key.slice(manifestPrefix.length)));
    for (const key of await parts.keyValue.keys(chunkPrefix)) known.add(parseChunkKey(key)?.id ?? "");
    for (const chunks of parts.tiers) {
      const garbage = (await chunks.files()).filter((file) => isFileId(file) && !known.has(file));
      for (const file of garbage) await chunks.delete(file).catch(unlessBusy);
      swept += garbage.length;
    }
    return swept;
  } finally {
    shelf.release();
  }
}

/**
 * Forgets files: records first and manifests last, so that a crash leaves files that are listed as not there, never ones that claim
 * bytes they lost, nor bytes that nothing names.
 */
export async function removeFiles({ keyValue, tiers }: StoreParts, ids: readonly string[]): Promise<void> {
  const records = await Promise.all(ids.map((id) => keyValue.keys(`${chunkPrefix}${id}/`)));
  await keyValue.delete(records.flat());
  for (const id of ids) for (const chunks of tiers) await chunks.delete(id);
  await keyValue.delete(ids.map(manifestKey));
}

function rank({ urls, usedAt }: Removable): number {
  return urls.length === 0 ? -1 : usedAt;
}

function removables(index: StoreIndex): Removable[] {
  const models = new Set(index.files.map(({ manifest }) => manifest.model));
  const named = [...models].map((model): Removable => {
    const files = filesOfModel(index, model);
    const images = imagesOfModel(index, model);
    const all = [...files, ...images];
    const nameless = index.nameless.some(({ id }) => id === model);
    return {
      model,
      name: all[0]?.manifest.name ?? model,
      ids: [...all.map(({ manifest }) => manifest.id), ...(nameless ? [model] : [])],
      urls: files.map(({ manifest }) => manifest.url),
      images: images.map(({ manifest }) => manifest.id),
      nameless,
      storedBytes: all.reduce((sum, file) => sum + file.storedBytes, 0),
      usedAt: Math.max(...all.map(({ manifest }) => manifest.usedAt)),
    };
  });
  const rest = index.nameless.filter(({ id }) => !models.has(id));
  const facts = { urls: [], images: [], nameless: true };
  return [...named, ...rest.map(({ id, ...sizes }) => ({ model: id, name: `The damaged entry ${id}`, ids: [id], ...facts, ...sizes }))];
}

/** @returns why it was refused, undefined when it is gone */
async function tryRemove(parts: StoreParts, one: Removable): Promise<"in use" | "downloading" | undefined> {
  const holds: Array<Hold | undefined> = [await parts.locks.tryAcquire(useLock(one.model), "exclusive")];
  try {
    for (const image of one.images) holds.push(await parts.locks.tryAcquire(useLock(image), "exclusive"));
    if (holds.includes(undefined)) return "in use";
    // Whose download an unreadable manifest belongs to is not known, so any may be its.
    if (one.nameless && (await parts.locks.held(downloadLocks)).length > 0) return "downloading";
    for (const url of one.urls) holds.push(await parts.locks.tryAcquire(downloadLock(url), "exclusive"));
    if (holds.includes(undefined)) return "downloading";
    await removeFiles(parts, one.ids);
    await parts.keyValue.delete([usedKey(one.model)]);
    return undefined;
  } finally {
    for (const hold of holds) hold?.release();
  }
}

function unlessBusy(thrown: unknown): void {
  if (!(thrown instanceof ShaderloomError && thrown.code === "STORE.busy")) throw thrown;
}
