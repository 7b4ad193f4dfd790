// Tells tabs that wait for the same file how far its download has come, a few times a second.

import type { ModelStore } from "../../store/model_store.ts";
import type { StoredFile } from "../../store/stored_file.ts";

const everyMs = 200;

/** To be called whenever bytes arrive. */
export function createAnnouncer({ models, file, key }: { models: ModelStore; file: StoredFile; key: string }): () => void {
  const before = file.storedBytes;
  const began = performance.now();
  let last = -Infinity;
  return () => {
    const now = performance.now();
    if (now - last < everyMs) return;
    last = now;
    const loaded = file.storedBytes;
    const bytesPerSecond = now > began ? ((loaded - before) * 1000) / (now - began) : 0;
    models.announce(key, { loaded, total: file.manifest.bytes, bytesPerSecond });
  };
}
