// Where the results of races lie between loads: one sealed value for each adapter, browser and set of shaders. What cannot be read is as if
// it were not there; a store that fails costs another race, never a load.

import { packageVersion } from "../base/version.ts";
import type { OpenDevice } from "../gpu/device.ts";
import { openLocks } from "../store/locks.ts";
import { seal, unseal } from "../store/sealed.ts";
import { recordKey } from "../tuning/choices.ts";
import type { Shelf } from "../tuning/memory.ts";
import type { StoreOptions } from "./session.ts";

/**
 * @returns undefined where nothing may or can be kept
 * @throws {ShaderloomError} STORE.*, when there is a store and it cannot be opened
 */
export async function openTuningShelf(
  { device, caps }: OpenDevice,
  shaders: ReadonlyMap<string, string>,
  store: StoreOptions = {},
): Promise<Shelf | undefined> {
  if (store.mode === "off") return undefined;
  // A chunk of its own: most loads have nothing to race.
  const { openValues } = await import("../store/open_values.ts");
  const values = await openValues({ folder: store.folder });
  if (!values) return undefined;
  const { adapterInfo: info, features } = device;
  const browser = globalThis.navigator?.userAgent ?? "";
  const id = recordKey({ caps, info, features, browser, version: packageVersion, shaders });
  const key = `tuning/${id}`;
  const hold = await openLocks(`shaderloom-tuning:${store.folder ?? ""}:`)
    .tryAcquire(id, "exclusive")
    .catch(() => undefined);
  return {
    mine: hold !== undefined,
    read: async () => unseal(key, await values.get(key)),
    write: async (value, strict) => values.set([[key, await seal(key, value)]], strict ? "strict" : "relaxed"),
    close: () => {
      hold?.release();
      values.close();
    },
  };
}
