// Node's file system for the files tier, asked of the process so that bundlers of the browser build never meet a `node:` import.
// Files are written whole under a temporary name and renamed, so that a killed process leaves the old file or the new one.

import { ShaderloomError } from "../base/errors.ts";
import type { Durability } from "./key_value.ts";

/** The part of node:fs/promises that is used. */
interface FileSystem {
  mkdir(path: string, options: { readonly recursive: true }): Promise<unknown>;
  open(path: string, flags: "r" | "wx"): Promise<OpenFile>;
  readFile(path: string, encoding: "utf8"): Promise<string>;
  readdir(path: string): Promise<string[]>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { readonly recursive: true; readonly force: true }): Promise<void>;
  stat(path: string): Promise<{ readonly mtimeMs: number }>;
}

interface OpenFile {
  read(place: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  writeFile(data: Uint8Array | string): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What of Node's own is needed; its types are for tests only. */
interface Runtime {
  readonly process?: { getBuiltinModule?: (name: string) => unknown };
}

/** @throws {ShaderloomError} STORE.unavailable outside Node, or in one before 20.16 */
export function nodeFileSystem(): FileSystem {
  const scope: object = globalThis;
  const { process }: Runtime = scope;
  const found = process?.getBuiltinModule?.("node:fs/promises");
  if (isFileSystem(found)) return found;
  const message = "There are no folders to store models in here. Use Node 20.19 or later, or choose another tier.";
  throw new ShaderloomError("STORE.unavailable", message, { detail: { tier: "files" } });
}

function isFileSystem(found: unknown): found is FileSystem {
  return typeof found === "object" && found !== null && "readdir" in found;
}

/** Names of files that are being written end so. */
const temporaryEnd = ".new";
/** Milliseconds after which a file that is still being written was left behind by a killed process. */
const leftBehindAfter = 3_600_000;

/** All files of a folder that are whole; none when it does not exist. */
export async function listFolder(fs: FileSystem, folder: string): Promise<string[]> {
  const names = await fs.readdir(folder).catch(absent);
  return (names ?? []).filter((name) => !name.endsWith(temporaryEnd));
}

/** Deletes what killed processes left half written in a folder. */
export async function sweepFolder(fs: FileSystem, folder: string): Promise<void> {
  for (const name of (await fs.readdir(folder).catch(absent)) ?? []) {
    if (!name.endsWith(temporaryEnd)) continue;
    const { mtimeMs } = (await fs.stat(`${folder}/${name}`).catch(absent)) ?? { mtimeMs: Infinity };
    if (mtimeMs < Date.now() - leftBehindAfter) await removeFile(fs, `${folder}/${name}`);
  }
}

/** What a file is to hold. `strict` waits for the disk. */
export interface Content {
  readonly data: Uint8Array | string;
  readonly durability: Durability;
}

/** Replaces a file as a whole. The folder is there. */
export async function replaceFile(fs: FileSystem, path: string, content: Content): Promise<void> {
  const temporary = await writeBeside(fs, path, content);
  try {
    await fs.rename(temporary, path);
  } catch (thrown) {
    await removeFile(fs, temporary).catch(() => undefined);
    throw thrown;
  }
  if (content.durability === "strict") await syncFolder(fs, path);
}

/** Writes a file that is to become `path`. @returns its path */
export async function writeBeside(fs: FileSystem, path: string, { data, durability }: Content): Promise<string> {
  const temporary = `${path}.${globalThis.crypto.randomUUID()}${temporaryEnd}`;
  try {
    const file = await fs.open(temporary, "wx");
    try {
      await file.writeFile(data);
      if (durability === "strict") await file.sync();
    } finally {
      await file.close();
    }
    return temporary;
  } catch (thrown) {
    await removeFile(fs, temporary).catch(() => undefined);
    throw thrown;
  }
}

/** A file or a folder with all that is in it, if it is there. */
export function removeFile(fs: FileSystem, path: string): Promise<void> {
  return fs.rm(path, { recursive: true, force: true });
}

/** A new name is on disk only when its folder is. Windows has no such call and needs none. */
export async function syncFolder(fs: FileSystem, path: string): Promise<void> {
  const folder = await fs.open(path.slice(0, path.lastIndexOf("/")), "r").catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

/** @returns whether `place` was filled wholly; false too when there is no such file */
export async function readStart(fs: FileSystem, path: string, place: Uint8Array): Promise<boolean> {
  const file = await fs.open(path, "r").catch(absent);
  if (file === undefined) return false;
  try {
    let filled = 0;
    while (filled < place.length) {
      const { bytesRead } = await file.read(place, filled, place.length - filled, filled);
      if (bytesRead === 0) return false;
      filled += bytesRead;
    }
    return true;
  } finally {
    await file.close();
  }
}

/** @returns undefined for an error that says that there is no such file; @throws the error otherwise */
export function absent(thrown: unknown): undefined {
  if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return undefined;
  throw thrown;
}

export type { FileSystem };
