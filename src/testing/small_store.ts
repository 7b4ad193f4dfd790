// Model stores with chunks of 1 KiB, and what their tests ask again and again: a stored file, and whether what a store claims is
// true.

import { expect } from "vitest";
import { type ModelStoreParts, createModelStore } from "../store/create_model_store.ts";
import { type StoreDiagnostics, noDiagnostics } from "../store/diagnostics.ts";
import { openLocks } from "../store/locks.ts";
import type { FileDescription, ModelStore } from "../store/model_store.ts";
import { createProcessLocks } from "../store/process_locks.ts";
import type { StoredFile } from "../store/stored_file.ts";
import type { StoreHalves } from "./faulty_store.ts";
import { sameBytes, seededBytes } from "./chunk_cases.ts";

export const smallChunk = 1024;

/** A store of its own world: no other store shares its locks or hears its news unless they are given. */
export function openSmallStore({ keyValue, chunks }: StoreHalves, more: Partial<ModelStoreParts> = {}): ModelStore {
  return createModelStore({
    keyValue,
    tiers: [chunks],
    locks: openLocks("test", createProcessLocks()),
    news: { tell: () => undefined, listen: () => () => undefined, close: () => undefined },
    space: async () => ({ usedBytes: null, availableBytes: null, persisted: false }),
    persist: async () => false,
    chunkBytes: smallChunk,
    ...more,
  });
}

/** The bytes of a test file, chunk by chunk. */
export function chunksOf(bytes: Uint8Array<ArrayBuffer>): Array<Uint8Array<ArrayBuffer>> {
  return Array.from({ length: Math.ceil(bytes.length / smallChunk) }, (_, index) =>
    bytes.subarray(index * smallChunk, (index + 1) * smallChunk),
  );
}

/** A file of four chunks, the last one short, whose bytes depend on its address and revision. */
export function testFile(url: string, more: Partial<FileDescription> = {}): { about: FileDescription; bytes: Uint8Array<ArrayBuffer> } {
  const length = more.bytes ?? 3 * smallChunk + 100;
  const letters = new TextEncoder().encode(`${url} ${more.revision ?? "1"}`);
  const seed = letters.reduce((sum, letter) => (sum * 31 + letter) | 0, 7);
  const about = { url, revision: "1", name: url.split("/").at(-1) ?? url, bytes: length, sha256: null, ...more };
  return { about, bytes: seededBytes(length, seed) };
}

/** Stores what is missing and completes the file, as a download does. */
export async function download(
  store: ModelStore,
  { about, bytes }: ReturnType<typeof testFile>,
  options: { readonly diagnostics?: StoreDiagnostics; readonly onPut?: (index: number) => void } = {},
): Promise<StoredFile> {
  const file = await store.open(about, options.diagnostics ?? noDiagnostics());
  for (const [index, chunk] of chunksOf(bytes).entries()) {
    if (file.has(index)) continue;
    await file.put(index, chunk);
    options.onPut?.(index);
  }
  if (file.manifest.state !== "complete") await file.complete({ sha256: null, verified: false });
  return file;
}

/**
 * Reads every chunk that the file claims and compares it.
 *
 * @returns numbers of the claimed chunks
 */
export async function expectHonest(file: StoredFile, bytes: Uint8Array<ArrayBuffer>): Promise<number[]> {
  const chunks = chunksOf(bytes);
  const claimed = chunks.map((_, index) => index).filter((index) => file.has(index));
  for (const index of claimed) expect(sameBytes(await file.read(index), chunks[index]), `chunk ${index}`).toBe(true);
  if (file.manifest.state === "complete") expect(claimed.length).toBe(chunks.length);
  return claimed;
}
