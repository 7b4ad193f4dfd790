// A ByteSource over a File or Blob: what a file picker, a drop or OPFS gives. The browser refuses to read a file that changed
// on disk after it was picked; that refusal becomes SOURCE.changed.

import { ShaderloomError, abortError, throwIfAborted } from "../base/errors.ts";
import { checkRange, closedSource } from "./byte_source.ts";
import type { ByteSource } from "./byte_source.ts";

/** @param name for messages; a File brings its own */
export function openBlobSource(blob: Blob, name: string = "name" in blob ? String(blob.name) : "model in memory"): ByteSource {
  let held: Blob | undefined = blob;
  return {
    name,
    size: blob.size,
    read: async (offset, length, { signal } = {}) => {
      throwIfAborted(signal);
      checkRange({ name, size: blob.size }, offset, length);
      if (held === undefined) throw closedSource(name);
      const bytes = await readSlice(held.slice(offset, offset + length), name);
      if (signal?.aborted) throw abortError();
      if (bytes.length !== length) throw changedFile(name, undefined);
      return bytes;
    },
    close: () => {
      held = undefined;
    },
  };
}

async function readSlice(slice: Blob, name: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await slice.arrayBuffer());
  } catch (thrown) {
    throw changedFile(name, thrown);
  }
}

/** Browsers say NotReadableError or NotFoundError alike for edited, moved and deleted files, so one code serves them. */
function changedFile(name: string, cause: unknown): ShaderloomError {
  const message = `${name} can no longer be read: it was changed, moved or deleted since it was picked. Pick the file again.`;
  return new ShaderloomError("SOURCE.changed", message, { detail: { file: name }, cause });
}
