// Placement: finds or makes the place of a file, and repairs what is left of it: a damaged manifest is made anew and finds the
// chunks that were stored under it. The manifest is there before the first chunk, so nothing stored is ever without one by our doing.

import { ShaderloomError } from "../base/errors.ts";
import type { ChunkStore } from "./chunk_store.ts";
import type { StoreDiagnostics } from "./diagnostics.ts";
import { type Manifest, decodeManifest, encodeManifest, fileId, manifestKey, manifestVersion } from "./manifest.ts";
import type { FileDescription } from "./model_store.ts";
import { removeFiles } from "./removal.ts";
import { type StoreParts, shelfLock } from "./store_parts.ts";
import { type CheckedFile, openStoredFile } from "./stored_file.ts";

/** `ModelStore.open`. */
export async function openPlace(parts: StoreParts, file: FileDescription, diagnostics: StoreDiagnostics): Promise<CheckedFile> {
  const shelf = await parts.locks.acquire(shelfLock, "shared");
  try {
    const manifest = await findOrMake(parts, file, diagnostics);
    return await openFile(parts, manifest, diagnostics);
  } finally {
    shelf.release();
  }
}

/** @throws {ShaderloomError} STORE.unavailable when the chunks are in a tier that is not here */
async function openFile(parts: StoreParts, manifest: Manifest, diagnostics: StoreDiagnostics): Promise<CheckedFile> {
  const chunks = parts.tiers.find(({ tier }) => tier === manifest.tier);
  if (chunks === undefined) {
    const message = `${manifest.name} is stored in ${manifest.tier}, which cannot be read here. Load it in a worker, or delete it and download it again.`;
    throw new ShaderloomError("STORE.unavailable", message, { detail: { name: manifest.name, tier: manifest.tier } });
  }
  return openStoredFile({ manifest, keyValue: parts.keyValue, chunks, diagnostics });
}

async function findOrMake(parts: StoreParts, file: FileDescription, diagnostics: StoreDiagnostics): Promise<Manifest> {
  const id = await fileId(file);
  const stored = await parts.keyValue.get(manifestKey(id));
  const known = await decodeManifest(id, stored);
  if (stored !== undefined && known === undefined) diagnostics.damagedManifests++;
  if (known === undefined) return writeManifest(parts, await newManifest(parts, file, id));
  if (known.bytes === file.bytes) return adopt(parts, known, file);
  if (known.state === "complete") throw changedLength(known, file.bytes);
  await removeFiles(parts, [id]);
  return writeManifest(parts, await newManifest(parts, file, id));
}

async function newManifest(parts: StoreParts, file: FileDescription, id: string): Promise<Manifest> {
  const { url, revision, name, bytes, sha256, model = id } = file;
  const { tier } = await tierWith(parts.tiers, id);
  const { chunkBytes = parts.chunkBytes } = file;
  const time = parts.now();
  const state = { tier, state: "partial", sha256, verified: false, createdAt: time, usedAt: time } as const;
  return { version: manifestVersion, url, revision, id, model, name, bytes, chunkBytes, ...state };
}

/** The tier that has chunks of the file, from before its manifest was damaged; else the first. */
async function tierWith(tiers: StoreParts["tiers"], id: string): Promise<ChunkStore> {
  for (const chunks of tiers) if ((await chunks.files()).includes(id)) return chunks;
  return tiers[0];
}

/** Takes up what is newly known: of an unfinished file the promised hash, and in any case which model it belongs to. */
async function adopt(parts: StoreParts, known: Manifest, file: FileDescription): Promise<Manifest> {
  const sha256 = known.state === "partial" && file.sha256 !== null ? file.sha256 : known.sha256;
  const model = file.model ?? known.model;
  if (sha256 === known.sha256 && model === known.model) return known;
  return writeManifest(parts, { ...known, sha256, model });
}

async function writeManifest({ keyValue }: StoreParts, manifest: Manifest): Promise<Manifest> {
  await keyValue.set([[manifestKey(manifest.id), await encodeManifest(manifest)]], "strict");
  return manifest;
}

function changedLength({ name, bytes, revision }: Manifest, now: number): ShaderloomError {
  const message = `${name} is stored with ${bytes} bytes and now has ${now}, though its server calls it the same version. Delete the stored copy to load the new one.`;
  return new ShaderloomError("SOURCE.changed", message, { detail: { name, revision, storedBytes: bytes, bytes: now } });
}
