// A ByteSource over a file of the store that is complete and has no server to mend it from: imports, and whatever is opened by its id.
// Reads only; a damaged chunk ends the load with an error that names it.

import { throwIfAborted } from "../../base/errors.ts";
import type { StoreTier } from "../../store/chunk_store.ts";
import type { StoredFile } from "../../store/stored_file.ts";
import { checkRange, closedSource } from "../byte_source.ts";
import type { ByteSource } from "../byte_source.ts";
import { damagedCopy } from "./errors.ts";

/** @throws {ShaderloomError} from reads: INTEGRITY.chunk, STORE.*, AbortError */
export function openStoredSource(file: StoredFile, onClose?: () => void): ByteSource {
  const { id, model, tier, name, bytes: size, chunkBytes } = file.manifest;
  let closed = false;
  /** The chunk that was read last: small reads are mostly of the same one. */
  let last: { readonly index: number; readonly bytes: Uint8Array } | undefined;

  const chunk = async (index: number, whole: Uint8Array<ArrayBuffer> | undefined): Promise<Uint8Array> => {
    if (last?.index === index) return last.bytes;
    const bytes = await file.read(index, whole);
    if (bytes === undefined) throw damagedCopy(name, index);
    // What lies in the reader's own memory may change.
    if (bytes.buffer !== whole?.buffer) last = { index, bytes };
    return bytes;
  };

  return {
    name,
    size,
    local: true,
    readsAtOnce: readsAtOnceFrom(tier),
    stored: {
      id,
      model,
      tier,
      storedBytes: () => file.storedBytes,
      complete: () => file.manifest.state === "complete",
      verified: () => file.manifest.verified,
      warning: () => undefined,
    },
    read: async (offset, length, { signal, into, onBytes } = {}) => {
      throwIfAborted(signal);
      checkRange({ name, size }, offset, length);
      if (closed) throw closedSource(name);
      const out = into !== undefined && into.length >= length ? into.subarray(0, length) : new Uint8Array(length);
      for (let at = 0; at < length;) {
        const index = Math.floor((offset + at) / chunkBytes);
        const from = offset + at - index * chunkBytes;
        const count = Math.min(chunkBytes - from, length - at);
        const place = out.subarray(at, at + count);
        const whole = count === Math.min(chunkBytes, size - index * chunkBytes) ? place : undefined;
        const bytes = await chunk(index, whole);
        throwIfAborted(signal);
        if (bytes.buffer !== out.buffer) place.set(bytes.subarray(from, from + count));
        onBytes?.(count);
        at += count;
      }
      return out;
    },
    close: () => {
      if (closed) return;
      closed = true;
      last = undefined;
      onClose?.();
    },
  };
}

/** Reads of the private file system do not wait, and so cannot wait side by side. */
export function readsAtOnceFrom(tier: StoreTier): number | undefined {
  return tier === "opfs" || tier === "memory" ? 1 : undefined;
}
