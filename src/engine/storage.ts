// The model store as one load sees it: opened when the model can be stored at all, given up without failing the load, and
// summed up for `info()`.

import { ShaderloomError, asShaderloomError } from "../base/errors.ts";
import { type StoreDiagnostics, noDiagnostics } from "../store/diagnostics.ts";
import type { Hold, ModelStore } from "../store/model_store.ts";
import type { ByteSource, ModelLocation } from "../weights/source.ts";
import type { SessionStorage, StoreOptions } from "./session.ts";

/** What a load has of the store; `models` is undefined where nothing is stored. */
export interface LoadStorage {
  readonly models: ModelStore | undefined;
  readonly diagnostics: StoreDiagnostics;
  readonly warning: ShaderloomError | undefined;
}

/**
 * Opens the store for a model that is read over the network or is stored already. A store that cannot be opened is a warning: the model
 * then runs from memory.
 *
 * @throws {ShaderloomError} STORE.* when the model itself is a stored one
 */
export async function openLoadStorage(model: ModelLocation, options: StoreOptions = {}): Promise<LoadStorage> {
  const diagnostics = noDiagnostics();
  const stored = typeof model === "string" && model.startsWith("stored:");
  const remote = [model].flat().some((one) => typeof one === "string" || one instanceof URL);
  if (!stored && (!remote || options.mode === "off")) return { models: undefined, diagnostics, warning: undefined };
  try {
    // A chunk of its own: local files need none of it.
    const { openModelStore } = await import("../store/open.ts");
    const onReconnect = (): void => {
      diagnostics.reconnects++;
    };
    const models = await openModelStore({ tier: options.tier, folder: options.folder, onReconnect });
    if (stored && models === undefined) throw nowhere();
    return { models, diagnostics, warning: undefined };
  } catch (thrown) {
    const error = asShaderloomError(thrown, "STORE.internal");
    if (stored) throw error;
    diagnostics.storeFailures++;
    return { models: undefined, diagnostics, warning: error };
  }
}

function nowhere(): ShaderloomError {
  return new ShaderloomError("STORE.unavailable", "There is no model store here. Give the model's address or its file instead.");
}

/** What became of storing a model whose files were read from `sources`. */
export function sessionStorage(storage: LoadStorage, sources: readonly ByteSource[]): SessionStorage {
  const stored = sources.flatMap((source) => source.stored ?? []);
  const all = stored.length > 0 && stored.length === sources.length;
  const first = sources[0]?.stored;
  const warning = storage.warning ?? sources.map((one) => one.stored?.warning() ?? one.unstored).find((one) => one !== undefined);
  return {
    tier: first?.tier ?? null,
    model: first?.model ?? null,
    complete: all && stored.every((one) => one.complete()),
    verified: all && stored.every((one) => one.verified()),
    diagnostics: { ...storage.diagnostics },
    warning: warning?.toPlain() ?? null,
  };
}

/** Keeps a stored model from being deleted while it is used. */
export async function holdStored(storage: LoadStorage, sources: readonly ByteSource[]): Promise<Hold | undefined> {
  const model = sources[0]?.stored?.model;
  return model === undefined ? undefined : storage.models?.holdModel(model);
}
