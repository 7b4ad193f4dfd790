// Verify: hashes what is stored of a model with sha256, chunk by chunk against the records and, where the whole file's hash was
// promised, as a whole. What is damaged is dropped, so that the next load fetches it again.

import { throwIfAborted } from "../base/errors.ts";
import { noDiagnostics } from "./diagnostics.ts";
import { type Sha256Stream, sha256, sha256Stream } from "./hash.ts";
import { type Manifest, isImage } from "./manifest.ts";
import type { Hold, WorkOptions } from "./model_store.ts";
import { openPlace } from "./placement.ts";
import { type IndexedFile, filesOfModel, imagesOfModel, readIndex } from "./store_index.ts";
import { type StoreParts, busyModel, downloadLock, missingModel, useLock } from "./store_parts.ts";
import type { CheckedFile } from "./stored_file.ts";

interface Counts {
  /** Chunks that were said to be there. */
  chunks: number;
  damaged: number;
}

/** `ModelStore.verify`, for what has bytes in the store. */
export async function verifyModel(parts: StoreParts, model: string, options: WorkOptions = {}): Promise<Counts> {
  const holds = await holdStill(parts, await findFiles(parts, model));
  try {
    // Anew: the model may have been deleted before the locks were there.
    const files = await findFiles(parts, model);
    const total = files.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    let done = 0;
    const onBytes = (count: number): void => options.onProgress?.((done += count), total);
    const counts: Counts = { chunks: 0, damaged: 0 };
    for (const { manifest } of files) {
      const more = await verifyFile(parts, manifest, { signal: options.signal, onBytes });
      counts.chunks += more.chunks;
      counts.damaged += more.damaged;
    }
    return counts;
  } finally {
    for (const held of holds) held.release();
  }
}

async function findFiles(parts: StoreParts, model: string): Promise<IndexedFile[]> {
  const index = await readIndex(parts);
  const files = [...filesOfModel(index, model), ...imagesOfModel(index, model)];
  if (files.length === 0) throw missingModel(model);
  return files;
}

/** Keeps everybody from deleting the files and from writing them: a chunk that is being written looks damaged. */
async function holdStill(parts: StoreParts, files: readonly IndexedFile[]): Promise<Hold[]> {
  const holds: Hold[] = [];
  const hold = async (name: string, lock: Promise<Hold | undefined>): Promise<void> => {
    const got = await lock;
    if (got !== undefined) return void holds.push(got);
    for (const held of holds) held.release();
    throw busyModel(name, "downloading");
  };
  for (const [at, { manifest }] of files.entries()) {
    const { id, name, model, url } = manifest;
    if (isImage(manifest)) await hold(name, parts.locks.tryAcquire(useLock(id), "shared"));
    if (at === 0) await hold(name, parts.locks.tryAcquire(useLock(model), "shared"));
    await hold(name, parts.locks.tryAcquire(downloadLock(url), "exclusive"));
  }
  return holds;
}

async function verifyFile(
  parts: StoreParts,
  manifest: Manifest,
  options: { readonly signal: AbortSignal | undefined; readonly onBytes: (count: number) => void },
): Promise<Counts> {
  const diagnostics = noDiagnostics();
  const file = await openPlace(parts, manifest, diagnostics);
  const indices = [...Array(file.chunkCount).keys()].filter((index) => file.has(index));
  const chunks = indices.length + diagnostics.damagedChunks;
  const whole = manifest.sha256 !== null && indices.length === file.chunkCount ? await sha256Stream() : undefined;
  const place = new Uint8Array(Math.min(manifest.chunkBytes, manifest.bytes));
  for (const index of indices) {
    throwIfAborted(options.signal);
    options.onBytes(await verifyChunk(file, index, { place, whole }));
  }
  if (whole === undefined || diagnostics.damagedChunks > 0) return { chunks, damaged: diagnostics.damagedChunks };
  if (whole.digest() !== manifest.sha256) {
    await file.clear();
    return { chunks, damaged: chunks };
  }
  if (file.manifest.state === "complete" && !file.manifest.verified) await file.complete({ sha256: manifest.sha256, verified: true });
  return { chunks, damaged: 0 };
}

/** @returns bytes that the record said were there */
async function verifyChunk(
  file: CheckedFile,
  index: number,
  { place, whole }: { readonly place: Uint8Array<ArrayBuffer>; readonly whole: Sha256Stream | undefined },
): Promise<number> {
  const { bytes: size, chunkBytes } = file.manifest;
  const expected = file.sha256Of(index);
  const bytes = await file.read(index, place);
  if (bytes !== undefined) {
    if ((await sha256(bytes)) === expected) whole?.update(bytes);
    else await file.drop(index);
  }
  return Math.min(chunkBytes, size - index * chunkBytes);
}
