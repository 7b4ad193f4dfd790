// Import: copies a local file into the store, one chunk in memory at a time. Every chunk of the file is read and hashed even
// when it is stored already, so that the copy is this file and not one that looks like it; only what differs is written.

import { ShaderloomError, throwIfAborted } from "../base/errors.ts";
import type { StoreDiagnostics } from "./diagnostics.ts";
import { sha256 } from "./hash.ts";
import { importScheme } from "./listing.ts";
import { chunkLengthOf } from "./manifest.ts";
import type { FileDescription, WorkOptions } from "./model_store.ts";
import type { CheckedFile } from "./stored_file.ts";

/** What is needed of a store to copy a file into it. */
export interface ImportPlace {
  open(file: FileDescription, diagnostics: StoreDiagnostics): Promise<CheckedFile>;
  readonly diagnostics: StoreDiagnostics;
}

/** The address of a file's copy: the same for the same name, size and date. */
export async function importUrl({ name, size, lastModified }: File): Promise<string> {
  return `${importScheme}${await sha256(new TextEncoder().encode(`${name}\n${size}\n${lastModified}`))}`;
}

/**
 * The caller holds the download lock of `importUrl(file)`.
 *
 * @returns the id of the stored model
 * @throws {ShaderloomError} SOURCE.changed, QUOTA.full, STORE.*, AbortError
 */
export async function copyFile(place: ImportPlace, file: File, { signal, onProgress }: WorkOptions): Promise<string> {
  throwIfAborted(signal);
  const { name, size, lastModified } = file;
  const description = { url: await importUrl(file), revision: String(lastModified), name, bytes: size, sha256: null };
  const copy = await place.open(description, place.diagnostics);
  for (let index = 0, done = 0; index < copy.chunkCount; index++) {
    const length = chunkLengthOf(copy.manifest, index);
    const bytes = await readSlice(file, done, length);
    throwIfAborted(signal);
    await copy.put(index, bytes);
    done += length;
    onProgress?.(done, size);
  }
  throwIfAborted(signal);
  if (copy.manifest.state !== "complete") await copy.complete({ sha256: null, verified: false });
  return copy.manifest.model;
}

async function readSlice(file: File, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  let cause: unknown;
  try {
    const bytes = new Uint8Array(await file.slice(offset, offset + length).arrayBuffer());
    if (bytes.length === length) return bytes;
  } catch (thrown) {
    cause = thrown;
  }
  const message = `${file.name} can no longer be read: it was changed, moved or deleted while it was copied. Pick the file again.`;
  throw new ShaderloomError("SOURCE.changed", message, { detail: { file: file.name }, cause });
}
