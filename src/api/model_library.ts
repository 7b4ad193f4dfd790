// The stored models without an engine: list, verify, delete, import, remember. Runs in the thread that calls it.

import { ShaderloomError } from "../base/errors.ts";
import { type ModelStore, openModels as openStore } from "../engine/stored_models.ts";
import { checkEnvironment } from "./environment.ts";
import type { ModelLibrary } from "./types.ts";

/**
 * Opens the stored models of this origin, or of `folder` in Node.
 *
 * @throws {ShaderloomError} ENV.insecure, STORE.unavailable where nothing can be stored, STORE.*
 */
export async function openLibrary(options: { readonly folder?: string; readonly tier?: "opfs" | "indexeddb" } = {}): Promise<ModelLibrary> {
  checkEnvironment();
  const store = await openStore(options);
  if (store === undefined) {
    throw new ShaderloomError(
      "STORE.unavailable",
      "This browser stores nothing here. Allow site data for this page; in Node give a folder.",
    );
  }
  return store;
}

/**
 * The file behind `stored:<id>` when it is one of this computer that is read in place. Only a page may ask its user for permission, so
 * this runs before a worker is started.
 *
 * @returns undefined for models whose bytes are in the store
 * @throws {ShaderloomError} STORE.missing, SOURCE.denied, SOURCE.missing
 */
export async function rememberedFile(location: string, folder?: string): Promise<File | undefined> {
  const library: ModelStore | undefined = await openStore({ folder });
  const id = location.slice("stored:".length);
  try {
    const model = (await library?.list())?.find((one) => one.id === id);
    return model?.kind === "remembered" ? await library?.fileOf(id) : undefined;
  } finally {
    library?.close();
  }
}
