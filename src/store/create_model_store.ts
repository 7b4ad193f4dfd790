// The ModelStore over given tiers and locks: each operation is a file of its own, this one puts them together. open.ts picks the
// tiers.

import { type ChunkStore, chunkBytes } from "./chunk_store.ts";
import { noDiagnostics } from "./diagnostics.ts";
import type { NewsChannel } from "./download_news.ts";
import { describeRemembered, forgetFile, openRemembered, rememberFile, rememberedFiles } from "./handles.ts";
import { copyFile, importUrl } from "./import_file.ts";
import type { KeyValue } from "./key_value.ts";
import { imageBytesOf, listModels } from "./listing.ts";
import type { Locks } from "./locks.ts";
import { type Manifest, isFileId } from "./manifest.ts";
import type { ModelStore, StorageSpace, StoredModel } from "./model_store.ts";
import { openPlace } from "./placement.ts";
import { deleteImages, deleteModel, deleteSuperseded, evictModels, sweep } from "./removal.ts";
import { filesOfModel, imagesOfModel, readIndex } from "./store_index.ts";
import { type StoreParts, busyModel, downloadLock, missingModel, useLock, usedKey } from "./store_parts.ts";
import { verifyModel } from "./verify.ts";

export interface ModelStoreParts {
  readonly keyValue: KeyValue;
  /** Those that can be read here. New files go to the first. */
  readonly tiers: readonly [ChunkStore, ...ChunkStore[]];
  readonly locks: Locks;
  readonly news: NewsChannel;
  readonly space: () => Promise<StorageSpace>;
  readonly persist: () => Promise<boolean>;
  /** Of new files; 4 MiB unless a test wants less. */
  readonly chunkBytes?: number;
  readonly now?: () => number;
}

type Operations = Pick<ModelStore, "list" | "verify" | "delete" | "remember" | "importFile">;

export function createModelStore(given: ModelStoreParts): ModelStore {
  const parts: StoreParts = { chunkBytes, now: Date.now, ...given };
  const { keyValue, locks, news, tiers } = parts;
  let swept = false;
  const store: Omit<ModelStore, keyof Operations> = {
    tier: tiers[0].tier,
    find: (url) => findManifests(parts, url),
    filesOf: async (model) => filesOfModel(await readIndex(parts), model).map(({ manifest }) => manifest),
    open: async (file, diagnostics) => {
      // Chunks without manifest and record are what a lost database left behind; it need not be looked for twice.
      if (!swept) diagnostics.damagedManifests += await sweep(parts);
      swept = true;
      return openPlace(parts, file, diagnostics);
    },
    touch: (model) => keyValue.set([[usedKey(model), parts.now()]], "relaxed"),
    evict: (bytes, except, diagnostics) => evictModels(parts, bytes, except, diagnostics),
    deleteSuperseded: (url) => deleteSuperseded(parts, url),
    deleteImages: (model, except) => deleteImages(parts, model, except),
    space: given.space,
    persist: given.persist,
    fileOf: (model) => openRemembered(keyValue, model),
    lockDownload: async (url, { signal, onNews }) => {
      const stop = onNews && news.listen(url, onNews);
      try {
        return await locks.acquire(downloadLock(url), "exclusive", signal);
      } finally {
        stop?.();
      }
    },
    announce: (url, moment) => news.tell(url, moment),
    holdModel: (model) => locks.acquire(useLock(model), "shared"),
    close: () => {
      news.close();
      keyValue.close();
      for (const chunks of tiers) chunks.close();
    },
  };
  return { ...store, ...createOperations(parts) };
}

/** What the library of models offers beside loading. */
function createOperations(parts: StoreParts): Operations {
  const { keyValue, locks, tiers } = parts;
  const { tier } = tiers[0];
  const list = async (): Promise<StoredModel[]> => {
    const index = await readIndex(parts);
    const files = await rememberedFiles(keyValue);
    const remembered = files.map((file) => describeRemembered(file, { tier, imageBytes: imageBytesOf(index, file.id) }));
    const ids = files.map(({ id }) => id);
    return [...listModels(index, tier, ids), ...remembered].toSorted((a, b) => b.usedAt - a.usedAt);
  };
  return {
    list,
    verify: async (model, options) => {
      const remembered = (await rememberedFiles(keyValue)).some(({ id }) => id === model);
      const nothing = remembered && imagesOfModel(await readIndex(parts), model).length === 0;
      return nothing ? { chunks: 0, damaged: 0 } : verifyModel(parts, model, options);
    },
    delete: async (model) => {
      if (!isFileId(model)) throw missingModel(model);
      if (!(await deleteRemembered(parts, model))) await deleteModel(parts, model);
    },
    remember: async (handle) => describeRemembered(await rememberFile(keyValue, handle, parts.now()), { tier }),
    importFile: async (file, options = {}) => {
      const hold = await locks.tryAcquire(downloadLock(await importUrl(file)), "exclusive");
      if (hold === undefined) throw busyModel(file.name, "downloading");
      try {
        const place = { open: openPlace.bind(undefined, parts), diagnostics: noDiagnostics() };
        const model = await copyFile(place, file, options);
        const stored = (await list()).find(({ id }) => id === model);
        if (stored === undefined) throw missingModel(model);
        return stored;
      } finally {
        hold.release();
      }
    },
  };
}

async function findManifests(parts: StoreParts, url: string): Promise<Manifest[]> {
  const here = new Set(parts.tiers.map(({ tier }) => tier));
  const manifests = (await readIndex(parts)).files.map(({ manifest }) => manifest);
  const found = manifests.filter((one) => one.url === url && here.has(one.tier)).toSorted((a, b) => b.createdAt - a.createdAt);
  return [...found.filter(({ state }) => state === "complete"), ...found.filter(({ state }) => state === "partial")];
}

/** @returns whether the model was a remembered file; it is forgotten then */
async function deleteRemembered(parts: StoreParts, model: string): Promise<boolean> {
  const { keyValue, locks } = parts;
  const remembered = (await rememberedFiles(keyValue)).find(({ id }) => id === model);
  if (remembered === undefined) return false;
  const hold = await locks.tryAcquire(useLock(model), "exclusive");
  if (hold === undefined) throw busyModel(remembered.name, "in use");
  try {
    await deleteImages(parts, model);
    return await forgetFile(keyValue, model);
  } finally {
    hold.release();
  }
}
