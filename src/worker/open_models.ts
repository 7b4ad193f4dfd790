// `openModels`: the library of stored models, a lazy chunk of its own.

import type { ModelLibrary } from "../api/types.ts";
import { part } from "./part.ts";

/**
 * The stored models of this origin, or of a folder in Node, without loading any: list, check, delete, import.
 *
 * @throws {ShaderloomError} ENV.insecure, STORE.unavailable where nothing can be stored, STORE.*
 */
export async function openModels(options: { readonly folder?: string; readonly tier?: "opfs" | "indexeddb" } = {}): Promise<ModelLibrary> {
  const { openLibrary } = await part(import("../api/model_library.ts"));
  return openLibrary(options);
}
