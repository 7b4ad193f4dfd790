// What the operations of the model store work on, and the names they agree on.

import { ShaderloomError } from "../base/errors.ts";
import type { ChunkStore } from "./chunk_store.ts";
import type { NewsChannel } from "./download_news.ts";
import type { KeyValue } from "./key_value.ts";
import type { Locks } from "./locks.ts";

export interface StoreParts {
  readonly keyValue: KeyValue;
  /** Those that can be read here. New files go to the first. */
  readonly tiers: readonly [ChunkStore, ...ChunkStore[]];
  readonly locks: Locks;
  readonly news: NewsChannel;
  /** Of new files. */
  readonly chunkBytes: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Held, exclusively, by who downloads, imports, checks or deletes the files of an address. */
export function downloadLock(url: string): string {
  return `${downloadLocks}${url}`;
}

export const downloadLocks = "/download/";

/** Held, shared, by sessions of a model; exclusively by who deletes it. */
export function useLock(model: string): string {
  return `/use/${model}`;
}

/** Held, shared and briefly, by who makes a place for a file; exclusively by who removes what belongs to no file. */
export const shelfLock = "/shelf";

/** When a model was last used; beside the manifest, so that no load rewrites what is dear. */
export function usedKey(model: string): string {
  return `${usedPrefix}${model}`;
}

export const usedPrefix = "used/";

export function missingModel(model: string): ShaderloomError {
  const message = `No stored model has the id ${JSON.stringify(model)}. List the stored models to see which there are.`;
  return new ShaderloomError("STORE.missing", message, { detail: { model } });
}

/** @param reason for people and programs: what another tab does with the model */
export function busyModel(name: string, reason: "in use" | "downloading"): ShaderloomError {
  const message =
    reason === "in use"
      ? `${name} is in use. Unload it in all tabs and try again.`
      : `${name} is being downloaded, copied or checked. Wait until that is done, or stop it, and try again.`;
  return new ShaderloomError("STORE.busy", message, { retryable: true, detail: { name, reason } });
}
