// Handles: files of this computer that are remembered and read in place. Only the File System Access handle is stored; the
// browser asks its user again when it wants to, and the file may have moved or gone.

import { ShaderloomError } from "../base/errors.ts";
import type { StoreTier } from "./chunk_store.ts";
import type { KeyValue } from "./key_value.ts";
import type { StoredModel } from "./model_store.ts";
import { missingModel, usedKey, usedPrefix } from "./store_parts.ts";

/** What TypeScript's types do not know yet. Absent in browsers whose handles never lose their permission. */
interface AskingHandle extends FileSystemFileHandle {
  queryPermission?(descriptor: { readonly mode: "read" }): Promise<PermissionState>;
  requestPermission?(descriptor: { readonly mode: "read" }): Promise<PermissionState>;
}

interface RememberedFile {
  readonly id: string;
  readonly name: string;
  /** When it was last looked at. */
  readonly bytes: number;
  readonly createdAt: number;
  readonly usedAt: number;
  readonly handle: AskingHandle;
}

const handlePrefix = "handle/";

/** `ModelStore.remember`. A file that is remembered already keeps its entry. */
export async function rememberFile(keyValue: KeyValue, handle: FileSystemFileHandle, now: number): Promise<RememberedFile> {
  const { name, size } = await readFile(handle);
  for (const known of await rememberedFiles(keyValue)) if (await known.handle.isSameEntry(handle)) return known;
  const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const value = { name, bytes: size, createdAt: now, handle };
  await keyValue.set([[handlePrefix + id, value]], "strict");
  return { id, usedAt: now, ...value };
}

/** All that can still be read; damaged entries are left out. */
export async function rememberedFiles(keyValue: KeyValue): Promise<RememberedFile[]> {
  const keys = await keyValue.keys(handlePrefix);
  const ids = keys.map((key) => key.slice(handlePrefix.length));
  const values = await keyValue.getMany(keys);
  const used = await keyValue.getMany(ids.map(usedKey));
  return ids.flatMap((id, at) => readEntry(id, values[at], used[at]) ?? []);
}

/** @returns whether there was such a file */
export async function forgetFile(keyValue: KeyValue, id: string): Promise<boolean> {
  if ((await keyValue.get(handlePrefix + id)) === undefined) return false;
  await keyValue.delete([handlePrefix + id, usedPrefix + id]);
  return true;
}

/** `ModelStore.fileOf`. */
export async function openRemembered(keyValue: KeyValue, id: string): Promise<File> {
  const known = (await rememberedFiles(keyValue)).find((one) => one.id === id);
  if (known === undefined) throw missingModel(id);
  await askPermission(known.handle);
  return readFile(known.handle);
}

export function describeRemembered(
  { id, name, bytes, createdAt, usedAt }: RememberedFile,
  { tier, imageBytes = 0 }: { readonly tier: StoreTier; readonly imageBytes?: number },
): StoredModel {
  const stored = { storedBytes: 0, imageBytes, complete: true, verified: false, tier, files: 1 };
  return { id, kind: "remembered", name, location: `stored:${id}`, revision: "", bytes, ...stored, createdAt, usedAt };
}

function readEntry(id: string, value: unknown, used: unknown): RememberedFile | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { name, bytes, createdAt, handle }: { readonly [field in string]?: unknown } = { ...value };
  if (typeof name !== "string" || !isCount(bytes) || !isCount(createdAt) || !isFileHandle(handle)) return undefined;
  return { id, name, bytes, createdAt, usedAt: isCount(used) ? used : createdAt, handle };
}

async function askPermission(handle: AskingHandle): Promise<void> {
  const mode = { mode: "read" } as const;
  let state = (await handle.queryPermission?.(mode)) ?? "granted";
  if (state === "prompt") {
    // Refused with an error where nobody can be asked: without a user's click, and in workers.
    state = (await handle.requestPermission?.(mode).catch(() => "prompt" as const)) ?? "prompt";
  }
  const detail = { file: handle.name };
  if (state === "prompt") {
    const message = `The browser wants to ask before it opens ${handle.name} again. Start this with a click in the page.`;
    throw new ShaderloomError("SOURCE.permission", message, { retryable: true, detail });
  }
  if (state === "denied") throw denied(handle.name, undefined);
}

async function readFile(handle: FileSystemFileHandle): Promise<File> {
  try {
    return await handle.getFile();
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === "NotAllowedError") throw denied(handle.name, thrown);
    const message = `${handle.name} is no longer where it was: it was moved, renamed or deleted. Pick the file again.`;
    throw new ShaderloomError("SOURCE.missing", message, { detail: { file: handle.name }, cause: thrown });
  }
}

function denied(file: string, cause: unknown): ShaderloomError {
  const message = `Reading ${file} was not allowed. Allow it when the browser asks, or pick the file again.`;
  return new ShaderloomError("SOURCE.denied", message, { retryable: true, detail: { file }, cause });
}

function isFileHandle(value: unknown): value is AskingHandle {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "file" && "getFile" in value;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
