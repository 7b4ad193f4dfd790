// Opening the model store: which tiers there are here, and the locks and news that go with them. Values are always in the
// database, where a strict write waits for the disk; chunks go to the fastest tier and are read wherever they are.

import { type ModelStoreParts, createModelStore } from "./create_model_store.ts";
import { openNews } from "./download_news.ts";
import { openIndexedDb } from "./indexeddb.ts";
import { openLocks } from "./locks.ts";
import { memoryStore } from "./memory.ts";
import type { ModelStore, ModelStoreOptions } from "./model_store.ts";
import { persistStorage, storageSpace } from "./quota.ts";

/** Names the database, the locks and the channel of this origin. */
const storeName = "shaderloom";

/**
 * Opens the model store of this origin, or of a folder.
 *
 * @returns undefined where there is nothing to store in: without a database and without a folder
 * @throws {ShaderloomError} STORE.unavailable when storage is forbidden here, STORE.blocked, STORE.lost, QUOTA.full
 */
export async function openModelStore(options: ModelStoreOptions = {}): Promise<ModelStore | undefined> {
  const opened = await openTiers(options);
  if (opened === undefined) return undefined;
  const { scope, ...tiers } = opened;
  return createModelStore({ ...tiers, locks: openLocks(scope), news: openNews(scope), space: storageSpace, persist: persistStorage });
}

type Tiers = Pick<ModelStoreParts, "keyValue" | "tiers"> & { readonly scope: string };

async function openTiers({ tier }: ModelStoreOptions): Promise<Tiers | undefined> {
  if (tier === "memory") {
    const { keyValue, chunks } = memoryStore();
    return { keyValue, tiers: [chunks], scope: `${storeName} ${crypto.randomUUID()}` };
  }
  // Typed as always there, which it is not in Node.
  const factory: IDBFactory | undefined = globalThis.indexedDB;
  if (factory === undefined) return undefined;
  const { keyValue, chunks } = await openIndexedDb(storeName);
  return { keyValue, tiers: [chunks], scope: storeName };
}
