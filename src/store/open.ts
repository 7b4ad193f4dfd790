// Opening the model store: which tiers there are here, and the locks and news that go with them. Values are always in the
// database, where a strict write waits for the disk; chunks go to the fastest tier and are read wherever they are.

import type { ChunkStore } from "./chunk_store.ts";
import { type ModelStoreParts, createModelStore } from "./create_model_store.ts";
import { openNews } from "./download_news.ts";
import { openIndexedDb } from "./indexeddb.ts";
import { openLocks } from "./locks.ts";
import { memoryStore } from "./memory.ts";
import type { ModelStore, ModelStoreOptions } from "./model_store.ts";
import { openOpfs, opfsAvailable } from "./opfs.ts";
import { persistStorage, storageSpace } from "./quota.ts";

/**
 * Opens the model store of this origin, or of a folder.
 *
 * @returns undefined where there is nothing to store in: without a database and without a folder
 * @throws {ShaderloomError} STORE.unavailable when storage is forbidden here, STORE.blocked, STORE.lost, QUOTA.full
 */
export async function openModelStore(options: ModelStoreOptions = {}): Promise<ModelStore | undefined> {
  return openNamedStore("shaderloom", options);
}

/**
 * As `openModelStore`, but apart from it.
 *
 * @param name of the database, the private folder, the locks and the channel
 */
export async function openNamedStore(name: string, options: ModelStoreOptions): Promise<ModelStore | undefined> {
  const opened = await openTiers(name, options);
  if (opened === undefined) return undefined;
  const { scope, ...tiers } = opened;
  return createModelStore({ ...tiers, locks: openLocks(scope), news: openNews(scope), space: storageSpace, persist: persistStorage });
}

type Tiers = Pick<ModelStoreParts, "keyValue" | "tiers"> & { readonly scope: string };

async function openTiers(name: string, { tier, folder, onReconnect }: ModelStoreOptions): Promise<Tiers | undefined> {
  if (tier === "memory") {
    const { keyValue, chunks } = memoryStore();
    return { keyValue, tiers: [chunks], scope: `${name} ${crypto.randomUUID()}` };
  }
  if (folder !== undefined) {
    // A chunk of its own: pages have no folders.
    const { openFiles } = await import("./files.ts");
    const { keyValue, chunks } = await openFiles(folder);
    return { keyValue, tiers: [chunks], scope: `${name} ${folder}` };
  }
  // Typed as always there, which it is not in Node.
  const factory: IDBFactory | undefined = globalThis.indexedDB;
  if (factory === undefined) return undefined;
  const { keyValue, chunks } = await openIndexedDb(name, { onReconnect });
  const { opfs, writable } = await openPrivateFiles(name, onReconnect);
  if (opfs === undefined) return { keyValue, tiers: [chunks], scope: name };
  // What cannot be written to here can still be read, listed and deleted.
  const preferred = writable && tier !== "indexeddb";
  return { keyValue, tiers: preferred ? [opfs, chunks] : [chunks, opfs], scope: name };
}

/** Some browsers have no private file system, or forbid it in private windows: the database serves alone then. */
async function openPrivateFiles(
  name: string,
  onReconnect: (() => void) | undefined,
): Promise<{ readonly opfs: ChunkStore | undefined; readonly writable: boolean }> {
  const storage: Partial<StorageManager> | undefined = globalThis.navigator?.storage;
  if (storage?.getDirectory === undefined) return { opfs: undefined, writable: false };
  const opfs = await openOpfs(name, { onReconnect }).catch(() => undefined);
  return { opfs, writable: opfs !== undefined && (await opfsAvailable()) };
}
