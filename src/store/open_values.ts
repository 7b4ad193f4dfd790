// The store's small half by itself: records that belong to no model. They lie beside those of the models, under prefixes of their own.

import { openIndexedDb } from "./indexeddb.ts";
import type { KeyValue } from "./key_value.ts";

/**
 * Values of this origin, or of a folder.
 *
 * @returns undefined where there is nothing to store in
 * @throws {ShaderloomError} STORE.unavailable, STORE.blocked, STORE.lost, QUOTA.full
 */
export async function openValues({ folder }: { readonly folder?: string | undefined } = {}): Promise<KeyValue | undefined> {
  if (folder !== undefined) {
    const { openFiles } = await import("./files.ts");
    return (await openFiles(folder)).keyValue;
  }
  const factory: IDBFactory | undefined = globalThis.indexedDB;
  if (factory === undefined) return undefined;
  return (await openIndexedDb("shaderloom")).keyValue;
}
