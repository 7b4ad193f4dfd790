// How a model goes to a worker: addresses become absolute, Blobs cross as handles, bytes are copied once and moved.

import type { EngineOptions, ModelLocation } from "../api/types.ts";
import { part } from "./part.ts";

/** What crosses, and what of it moves instead of being copied. */
export interface Parcel {
  readonly model: ModelLocation;
  readonly transfer: Transferable[];
}

/** The caller keeps his bytes. */
export function packModel(model: ModelLocation): Parcel {
  if (Array.isArray(model)) {
    const parcels = model.map((one: ModelLocation) => packModel(one));
    return { model: parcels.flatMap((parcel) => parcel.model), transfer: parcels.flatMap((parcel) => parcel.transfer) };
  }
  if (model instanceof Uint8Array) {
    // A clone of a view clones all of the buffer under it.
    const copy = model.slice();
    return { model: copy, transfer: [copy.buffer] };
  }
  if (typeof model !== "string" && !(model instanceof URL)) return { model, transfer: [] };
  const address = String(model);
  // The worker's base address is its script's, not the page's.
  const base = typeof document === "undefined" ? undefined : document.baseURI;
  const relative = base !== undefined && !/^(?:hf|stored):/.test(address) && URL.canParse(address, base);
  return { model: relative ? new URL(address, base).href : address, transfer: [] };
}

/** The model's location as a worker can open it: a remembered file is opened here, because only a page may ask for permission. */
export async function localModel({ model, store }: Pick<EngineOptions, "model" | "store">): Promise<ModelLocation> {
  if (typeof model !== "string" || !model.startsWith("stored:")) return model;
  const { rememberedFile } = await part(import("../api/model_library.ts"));
  return (await rememberedFile(model, store?.folder)) ?? model;
}

/** Whether a model comes over the network and will be stored. */
export function isRemote(model: ModelLocation): boolean {
  if (Array.isArray(model)) return model.every((one: ModelLocation) => isRemote(one));
  return model instanceof URL || (typeof model === "string" && !/^(?:stored|blob|data):/.test(model));
}
